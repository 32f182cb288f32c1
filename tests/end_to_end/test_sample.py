"""``lrd sample`` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import LRD, TINY, process_as_before, run

from lrd.cli import main
from lrd.records import RunRecord, open_study
from lrd.spec import run_from_dict
from lrd.training.sampling import sample
from lrd.training.trained import trained_parameters

TRAIN = [LRD, "train", "-m", "task=text", "task.gap=20", "cell=rnn,lstm", "seed=0,1", "probe=none", "tracker=none"]
PRIMED = ["--prime", "The ", "--length", "30"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    run([*TRAIN, "cell.hidden_size=8", *TINY, "study=text"], folder)
    run([LRD, "train", "task=copy", "task.gap=3", "cell=rnn", "tracker=none", *TINY, "study=text"], folder)
    return folder


def text_of(study: Path, run_id: str, temperature: float, seed: int) -> str:
    record = RunRecord(study.parent, study.name, run_id)
    spec = run_from_dict(record.read_run()["spec"], {})
    params, update = trained_parameters(record, spec)
    assert update == 2
    return sample(spec.task, spec.cell, params, "The ", 30, temperature, seed)


def test_each_run_has_its_text_under_its_name(folder: Path) -> None:
    study = folder / "runs" / "text"
    command = [LRD, "sample", "runs/text", *PRIMED, "--temperature", "0.8", "--seed", "4"]
    done = run([*command, "--where", "task = 'text'", "--runs", "2"], folder)
    assert done.stderr == "4 runs match, 2 of them shown: --where or --runs choose\n"
    query = "select run_id from runs where seed = 0 and task = 'text' order by run_id"
    chosen = [run_id for (run_id,) in open_study(study).sql(query).fetchall()]
    assert len(chosen) == 2
    assert done.stdout == "".join(
        f"== {run_id}, update 2\nThe {text_of(study, run_id, 0.8, 4)}\n\n" for run_id in chosen
    )
    again = run([*command, "--where", "task = 'text'", "--runs", "2"], folder)
    assert again.stdout == done.stdout
    other = run([*command[:-1], "5", "--where", "task = 'text'", "--runs", "2"], folder)
    assert other.stdout != done.stdout


def test_networks_of_one_cell_are_told_apart_by_their_labels(folder: Path, tmp_path: Path) -> None:
    study = shutil.copytree(folder / "runs" / "text", tmp_path / "text")
    (path,) = study.glob("lstm-text-T20-s1-*/run.json")
    kept = json.loads(path.read_text())
    kept["spec"]["cell"]["label"] = "lstm of mine"  # it is no part of what was trained
    path.write_text(json.dumps(kept))
    done = run([LRD, "sample", str(study), *PRIMED, "--where", "cell = 'lstm'"], tmp_path)
    headings = [line.partition("-")[2].split(", ")[1] for line in done.stdout.splitlines() if line.startswith("== ")]
    assert headings == ["update 2", "lstm of mine"]


def test_at_temperature_0_seeds_are_the_same(folder: Path) -> None:
    command = [LRD, "sample", "runs/text", *PRIMED, "--temperature", "0", "--where", "cell = 'lstm' and seed = 1"]
    outputs = {run([*command, "--seed", seed], folder).stdout for seed in ("1", "2")}
    assert len(outputs) == 1
    assert "== lstm-text-T20-s1" in outputs.pop()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--temperature", "-1"], "--temperature: must be a finite number >= 0, got -1.0"),
        (["--temperature", "inf"], "--temperature: must be a finite number >= 0, got inf"),
        (["--length", "0"], "--length: must be >= 1, got 0"),
        (["--runs", "0"], "--runs: must be >= 1, got 0"),
        (["--prime", ""], "--prime: must have at least one character"),
        (["--seed", "-1"], "--seed: must be >= 0 and < 2^63, got -1"),
        (["--where", "cel = 1"], "cannot use the condition 'cel = 1': "),
        (["--where", "seed > 7"], "no run of {} meets the condition 'seed > 7'"),
    ],
)
def test_what_is_wrong_is_one_line(
    folder: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study = str(folder / "runs" / "text")
    with process_as_before():
        assert main(["sample", study, *arguments]) == 2
    done = capsys.readouterr()
    assert done.err.startswith(f"lrd: {line.format(study)}")
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--where", "task = 'copy'"], "the task is copy; only runs of task=text can be sampled"),
        (["--where", "cell = 'lstm'", "--prime", "Thé"], "--prime: must be of characters that its text has 10 times"),
    ],
)
def test_runs_without_a_text_are_named_in_one_line(
    folder: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with process_as_before():
        assert main(["sample", str(folder / "runs" / "text"), *arguments]) == 1
    done = capsys.readouterr()
    names, _, reason = done.err.removeprefix("lrd: ").partition(": ")
    assert len(names.split(", ")) == (1 if "copy" in line else 2)
    assert reason.startswith(line)
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_a_run_without_a_checkpoint_is_named_and_the_others_have_their_text(folder: Path, tmp_path: Path) -> None:
    study = shutil.copytree(folder / "runs" / "text", tmp_path / "runs" / "text")
    (lost,) = study.glob("lstm-text-T20-s0-*/checkpoint.pt")
    lost.unlink()
    done = run([LRD, "sample", "runs/text", *PRIMED, "--where", "task = 'text' and seed = 0"], tmp_path, status=1)
    assert done.stderr.startswith(f"lrd: {lost.parent.name}: ")
    assert done.stderr.endswith("has no checkpoint\n")
    assert done.stdout.count("== ") == 1


def test_code_in_records_that_others_made_is_run_for_who_trusts_it_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lrd.sweeps.probing.foreign_code", lambda path: f"{path.name} brings code of its own")
    command = ["sample", str(folder / "runs" / "text"), "--where", "cell = 'lstm' and seed = 0", "--length", "1"]
    with process_as_before():
        assert main(command) == 2
        refused = capsys.readouterr()
        assert main([*command, "--trust"]) == 0
    assert refused.out == ""
    assert refused.err.startswith("lrd: lstm-text-T20-s0-")
    assert refused.err.endswith("brings code of its own; read its run.json, and if you trust it, add --trust\n")
