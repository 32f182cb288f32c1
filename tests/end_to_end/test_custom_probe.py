"""A probe from a researcher's file, without touching lrd: it measures in training and afterwards, and SQL reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import LRD, ROOT, TINY, process_as_before, run

from lrd.cli import main
from lrd.records import open_study, read_json, write_json

EXAMPLE = (ROOT / "docs" / "examples" / "my_probe.py").read_text(encoding="utf-8")
MINE = "probe.custom.path=my_probe.py:Dimension"
SMALL = ["task.gap=6", "cell.hidden_size=4", "tracker=none", *TINY]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the researcher's with the docs' probe, two runs measured while they trained, and two without it."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_probe.py").write_text(EXAMPLE)
    options = ["probe.custom.every=3", "probe.custom.samples=8", "probe.custom.per_decade=0"]
    run([LRD, "train", "-m", "probe=[gradient_flow,custom]", MINE, *options, "seed=0,1", *SMALL], folder)
    run([LRD, "train", "-m", "probe=custom,gradient_flow", MINE, "study=swept", "cell=lstm", *SMALL], folder)
    return folder


def test_its_table_and_scalars_are_in_the_records(folder: Path) -> None:
    study = open_study(folder / "runs" / "scratch")
    found = study.sql("select update, t, variable, dimension from dimension order by all")
    assert [str(kind) for kind in found.types] == ["BIGINT", "BIGINT", "VARCHAR", "DOUBLE"]
    rows = found.fetchall()
    assert {update for update, *_ in rows} == {0, 2}  # the start and the end alone
    assert {variable for _, _, variable, _ in rows} == {"h", "c"}
    assert {t % 3 for _, t, _, _ in rows} == {0}
    assert all(1 <= dimension <= 4 for *_, dimension in rows)
    scalars = study.sql("select dimension_mean_start, dimension_mean_end, probe_dimension_every from runs").fetchall()
    assert len(scalars) == 2
    assert all(0 < start < 4 and 0 < end < 4 and every == 3 for start, end, every in scalars)
    assert study.problems == []


def test_a_sweep_over_it_and_others_measures_with_it_where_it_is_chosen(folder: Path) -> None:
    study = open_study(folder / "runs" / "swept")
    assert study.sql("select count(*) from runs").fetchall() == [(2,)]
    assert study.sql("select count(distinct run_id) from dimension").fetchall() == [(1,)]
    assert study.sql("select count(distinct run_id) from gradient_flow").fetchall() == [(1,)]


def test_lrd_probe_runs_the_file_that_is_named_as_it_is_now(folder: Path) -> None:
    command = [LRD, "probe", "runs/swept", "probe=custom", MINE, "--where", "probe_dimension_every is null"]
    assert run(command, folder).stdout.splitlines()[0] == "1 runs: 0 measurements taken before, 2 to take"
    assert run(command, folder).stdout.splitlines()[0] == "1 runs: 2 measurements taken before, 0 to take"
    try:
        (folder / "my_probe.py").write_text(EXAMPLE.replace("dimension_mean", "dimension_of_all"))
        assert run(command, folder).stdout.splitlines()[0] == "1 runs: 0 measurements taken before, 2 to take"
        (folder / "my_probe.py").write_text("this is no probe\n")
        wrong = run(command, folder, status=2)
        assert wrong.stderr == "lrd: probe.custom.path: my_probe.py, line 1: invalid syntax\n"
        # What a record holds is made from its own text, whatever the file says by now.
        others = run([LRD, "probe", "runs/scratch", "probe=gates", "probe.gates.samples=2", "--at", "end"], folder)
        assert others.stdout.startswith("2 runs: 0 measurements taken before, 2 to take")
        assert "my_probe" not in others.stderr
    finally:
        (folder / "my_probe.py").write_text(EXAMPLE)


def test_what_training_measured_stays(folder: Path) -> None:
    done = run([LRD, "probe", "runs/scratch", "probe=custom", MINE, "--at", "end"], folder)
    assert done.stdout.startswith("2 runs: 0 measurements taken before, 0 to take, 2 left out\n")
    assert "dimension measured in training with other options or another text of its class, which stays" in done.stderr


def test_a_probe_of_somebody_else_is_run_with_trust_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "sent"
    shutil.copytree(folder / "runs" / "scratch", study)
    for file in study.glob("*/run.json"):
        write_json(file, {key: value for key, value in read_json(file).items() if key != "seal"})
    one = next(study.glob("*-s0-*/run.json"))
    own = read_json(one)
    text = f"open({str(tmp_path / 'was_run')!r}, 'w')\n{EXAMPLE}"
    write_json(one, own | {"sources": {"probe.dimension": text}})
    monkeypatch.setenv("HOME", str(folder))
    command = ["probe", str(study), "probe=gates", "probe.gates.samples=3", "--at", "end"]
    with process_as_before():
        assert main(command) == 2
        said = capsys.readouterr()
        assert "brings code of its own for its probe dimension, trained by" in said.err
        assert said.err.endswith("read its run.json, and if you trust it, add --trust\n")
        assert said.err.count("\n") == 1
        assert not (tmp_path / "was_run").exists()
        write_json(one, own)
        assert main([*command, "--trust"]) == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["probe=custom"], "probe.custom.path: must name your file and class, such as my_probe.py:MyProbe"),
        (["probe=custom", MINE, "probe.custom.evry=3"], "probe.custom.evry: there is no such option; did you mean"),
        (["probe=custom", MINE, "probe.custom.every=0"], "probe.custom.every: must be >= 1, got 0"),
        (["probe=gates", MINE], "probe.custom.path: there is no such option of the probe.custom chosen; custom has it"),
        (["probe=custom", f"{MINE}s"], "probe.custom.path: my_probe.py has no class Dimensions; did you mean 'Dim"),
    ],
)
def test_what_is_wrong_is_one_line(
    folder: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with process_as_before():
        assert main(["train", *arguments, *SMALL]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"lrd: {line}")
    assert said.err.count("\n") == 1


def test_check_says_which_line_is_broken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(of: str, status: int = 0) -> tuple[str, str]:
        with process_as_before():
            assert main(["check", of]) == status
        return capsys.readouterr()

    monkeypatch.chdir(folder)
    kept, _ = check("my_probe.py:Dimension")
    assert kept.count(" kept ") == 11
    assert "lrd probe STUDY probe=custom probe.custom.path=my_probe.py:Dimension" in kept
    assert "select * from dimension" in kept
    (folder / "bad.py").write_text(EXAMPLE.replace('"t": "BIGINT"', '"t": "VARCHAR"'))
    said, error = check("bad.py:Dimension", status=2)
    assert said.count(" kept ") == 5
    assert error == "lrd: bad.py:Dimension breaks line 6: t must hold VARCHAR, got int64\n"
    (folder / "bad.py").write_text("class Dimension: pass\n")
    assert check("bad.py:Dimension", status=2)[1].startswith("lrd: bad.py:Dimension must be derived from one of lrd.")
