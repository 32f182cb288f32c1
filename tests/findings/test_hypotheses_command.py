"""``lrd train`` keeps a study's hypotheses beside its records, or refuses them; ``lrd hypotheses`` prints verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from commands import TINY, process_as_before, run_folders

from lrd import cli
from lrd.findings import HYPOTHESES, read_hypotheses

STUDY = """# @package _global_
study: mine
cell: {hidden_size: 3}
hypotheses:
  more:
    says: Of the runs one in two solves it.
    measure: share
    of: gap = 5
    above: 0.5
  later:
    says: It has a loss.
    measure: mean
    number: test_loss
    of: gap = 5
    above: 0
hydra:
  mode: MULTIRUN
  sweeper:
    params: {seed: "0,1", task: adding, task.gap: 5}
"""
TRAIN = ["train", "--config-dir", ".", "experiment=mine", "tracker=none", "hydra.launcher.workers=1", *TINY]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(STUDY)
    with process_as_before():
        yield


def test_hypotheses_are_kept_and_printed_and_change_no_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "runs" / "mine"
    file = tmp_path / "experiment" / "mine.yaml"
    file.write_text(STUDY[: STUDY.index("hypotheses:")] + STUDY[STUDY.index("hydra:") :])
    assert cli.main(TRAIN) == 0
    assert "hypotheses" not in capfd.readouterr().out
    assert not (study / HYPOTHESES).exists()
    trained = set(run_folders(study))

    file.write_text(STUDY)
    assert cli.main(TRAIN) == 0
    said = capfd.readouterr().out
    assert "2 runs: 2 finished before, 0 to train" in said
    (row,) = (line.split("  ") for line in said.splitlines() if "Of the runs one in two solves it." in line)
    cells = [cell.strip() for cell in row if cell]
    assert cells == ["undecided", "Of the runs one in two solves it.", "0", "0 to 0.888"]
    assert "2 hypotheses: 0 holds, 0 fails, 2 undecided  " in said
    assert "    verdicts: lrd hypotheses runs/mine    " in said
    assert set(run_folders(study)) == trained
    assert read_hypotheses(study) == read_hypotheses(file)

    assert cli.main(["hypotheses", str(study)]) == 0
    said = capfd.readouterr()
    assert "Of the runs one in two solves it." in said.out
    assert "0 (0 of 2 runs); 97.5 % interval (95 % over 2 hypotheses) 0 to 0.888; stated: above 0.5" in said.out
    assert said.out.endswith("2 hypotheses: 0 holds, 0 fails, 2 undecided\n")
    assert said.err == ""

    assert cli.main(["claims", str(study)]) == 0
    assert capfd.readouterr() == said

    other = tmp_path / "other.yaml"
    other.write_text("hypotheses: {bad: {says: It., measure: share, of: gapp = 5, above: 0}}")
    assert cli.main(["hypotheses", str(study), "--file", str(other)]) == 2
    assert capfd.readouterr().err == "lrd: hypotheses.bad: there is no column 'gapp'; did you mean 'gap'?\n"
    other.write_text("hypotheses: {bad: {says: It., measure: share, of: exists (from 'other.yaml'), above: 0}}")
    assert cli.main(["hypotheses", str(study), "--file", str(other)]) == 2
    assert capfd.readouterr().err == "lrd: hypotheses.bad: there is no table 'other.yaml'\n"
    assert cli.main(["claims", str(study), "--claims", str(other)]) == 2
    assert capfd.readouterr().err == "lrd: hypotheses.bad: there is no table 'other.yaml'\n"
    other.write_text("hypotheses:\n")
    assert cli.main(["hypotheses", str(study), "--file", str(other)]) == 2
    assert "holds no hypotheses; give a file that does" in capfd.readouterr().err


PAPER = """paper:
  source: A. Author (1997), table 1
  result: It works.
  size: as published; 2 seeds
  assumptions: []
  deviations: []
"""


def test_the_verdict_on_a_published_result_is_printed_in_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "runs" / "mine"
    (tmp_path / "experiment" / "mine.yaml").write_text(STUDY.replace("hypotheses:", f"{PAPER}hypotheses:", 1))
    assert cli.main(TRAIN) == 0
    line = "undecided: It works. (A. Author (1997), table 1)"
    assert capfd.readouterr().out.splitlines().count(line) == 1
    assert cli.main(["hypotheses", str(study)]) == 0
    *_, tally, last = capfd.readouterr().out.splitlines()
    assert (tally[:13], last) == ("2 hypotheses:", line)
    surely = "hypotheses: {all: {says: All count., measure: share, number: '1', of: gap = 5, above: 0}}\n"
    (tmp_path / "other.yaml").write_text(PAPER + surely)
    assert cli.main(["hypotheses", str(study), "--file", "other.yaml"]) == 0
    assert capfd.readouterr().out.endswith("\nagrees: It works. (A. Author (1997), table 1)\n")


def test_other_options_than_the_studys_are_named_beside_its_verdict(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The published result is that of the study's own options; more seeds are as welcome as another folder."""
    training = {key.removeprefix("training."): yaml.safe_load(value) for key, value in (o.split("=") for o in TINY)}
    study = yaml.safe_load(STUDY) | yaml.safe_load(PAPER) | {"training": training}
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(study)}")
    own = [word for word in TRAIN if word not in TINY]
    assert cli.main([*own, "seed=0,1,2", "runs_dir=there"]) == 0
    assert "lrd: " not in capfd.readouterr().err
    for given, named in (
        (["task.gap=6"], "task.gap is"),
        (["task.gap=6", "+cell.label=a"], "task.gap, cell.label are"),
    ):
        assert cli.main([*own, *given]) == 0
        assert capfd.readouterr().err.startswith(f"lrd: {named} given: the verdict is on these runs, not on the publ")


@pytest.mark.parametrize("command", ["train", "plan"])
def test_a_malformed_published_result_is_refused_before_any_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = PAPER.replace("  size", "  sizes")
    (tmp_path / "experiment" / "mine.yaml").write_text(STUDY.replace("hypotheses:", f"{broken}hypotheses:", 1))
    assert cli.main([command, *TRAIN[1:]]) == 2
    assert capsys.readouterr() == ("", "lrd: paper: there is no key 'sizes'; did you mean 'size'?\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("figure", "stated", "said"),
    [
        ("gap_wal", True, "got 'gap_wal'; did you mean 'gap_wall'?"),
        ("../gap_wall", True, "paper.figure: must be one of cell_pairs, "),
        ("gap_wall", False, "paper: needs hypotheses: beside it, which say in numbers"),
    ],
)
def test_a_published_result_needs_a_figure_of_lrd_and_a_hypothesis(
    figure: str, stated: bool, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = yaml.safe_load(STUDY) | yaml.safe_load(f"{PAPER}  figure: {figure}\n")
    if not stated:
        del study["hypotheses"]
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(study)}")
    assert cli.main(["plan", *TRAIN[1:]]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert said in shown.err


@pytest.mark.slow_but(1)
@pytest.mark.parametrize(
    ("command", "old", "new", "words"),
    [
        ("train", "measure: share", "measure: shares", "lrd: hypotheses.more: measure: must be one of share, "),
        ("plan", "above: 0.5", "abov: 0.5", "lrd: hypotheses.more: there is no key 'abov'; did you mean 'above'?"),
        (
            "train",
            "of: gap = 5",
            "of: gapp = 5",
            "lrd: hypotheses.more: there is no column 'gapp'; did you mean 'gap'?",
        ),
        ("plan", "number: test_loss", "number: tset_loss", "lrd: hypotheses.later: there is no column 'tset_loss'"),
    ],
)
def test_a_malformed_hypothesis_is_refused_before_any_work(
    command: str, old: str, new: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "experiment" / "mine.yaml"
    file.write_text(STUDY.replace(old, new, 1))
    assert cli.main([command, *TRAIN[1:]]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(words)
    assert said.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
