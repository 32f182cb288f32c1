"""A sweep by its command: whole records, wandb runs beside them, and nothing trained twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import BIN, FILES, LRD, SWEEP, assert_equal_records, process_as_before, run, run_folders

from lrd import cli
from lrd.records import open_study


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    with process_as_before():
        yield


def test_24_runs_leave_24_whole_records(sweep: Path) -> None:
    folder = sweep / "runs" / "scratch"
    study = open_study(folder)
    grid = study.sql("select task, cell, gap, seed from runs").fetchall()
    assert len(grid) == len(set(grid)) == 24
    assert {tuple(sorted({row[n] for row in grid})) for n in range(4)} == {
        ("adding", "copy", "delay"), ("lstm", "rnn"), (10, 20), (0, 1)
    }  # fmt: skip
    assert study.sql("select distinct state, outcome, update from runs").fetchall() == [("finished", "unsolved", 50)]
    for table, least in (("metrics", 2), ("gradient_flow", 50), ("gradient_fit", 5)):
        per_run = study.sql(f"select run_id, count(*) from {table} group by all").fetchall()
        assert len(per_run) == 24
        assert min(count for _, count in per_run) >= least
    updates = study.sql('select distinct "update" from gradient_fit order by all').fetchall()
    assert {updates[0], updates[-1]} == {(0,), (50,)}
    assert study.problems == []
    for path in run_folders(folder).values():
        assert FILES["finished"] <= {file.name for file in path.iterdir()}
        assert not list(path.glob(".*"))


def test_24_offline_wandb_runs_can_be_read(sweep: Path) -> None:
    runs = run_folders(sweep / "runs" / "scratch")
    mirrors = list((sweep / "runs" / "scratch" / "wandb").glob("offline-run-*"))
    by_id = {path.name.split("-", 3)[3]: path for path in mirrors}
    assert by_id.keys() == runs.keys()
    assert len(mirrors) == 24
    assert all(list(path.glob("run-*.wandb")) for path in mirrors)
    for run_id in list(by_id)[::10]:
        shown = run([str(BIN / "wandb"), "leet", "inspect", "--json", str(by_id[run_id])], sweep).stdout
        records = [json.loads(line) for line in shown.splitlines()]
        (head,) = [record["run"] for record in records if record["type"] == "run"]
        assert (head["run_id"], head["run_group"], head["project"]) == (run_id, "scratch", "lrd")
        assert records[-1]["type"] == "exit" or any(record["type"] == "exit" for record in records)
        assert all(text in shown for text in ("eval_loss", "grad_norm", "slope_h", "gradient_flow/h", "outcome"))


def test_the_same_command_again_trains_nothing(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bytes_of_records() -> dict[Path, tuple[int, bytes]]:
        files = [file for path in run_folders(sweep / "runs" / "scratch").values() for file in path.iterdir()]
        return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    before = bytes_of_records()
    monkeypatch.chdir(sweep)
    assert cli.main(["train", "-m", *SWEEP]) == 0
    out = capsys.readouterr().out
    assert out.startswith("24 runs: 24 finished before, 0 to train in 0 packs\n")
    assert out.split("\n", 1)[1] == (sweep / "stdout").read_text(encoding="utf-8").split("\n", 1)[1]  # the same table
    assert bytes_of_records() == before


def test_a_further_seed_and_option_train_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = [
        "training.max_updates=1",
        "training.test_samples=4",
        "training.eval_samples=4",
        "tracker=none",
        "task.gap=3",
    ]
    for options, first_line in [
        (["seed=0"], "1 runs: 0 finished before, 1 to train in 1 packs"),
        (["-m", "seed=0,1,0"], "2 runs: 1 finished before, 1 to train in 1 packs"),
        (["-m", "seed=0,1", "optimizer.lr=0.1,0.001"], "4 runs: 2 finished before, 2 to train in 1 packs"),
        (["seed=0", "cell.label=name"], "1 runs: 1 finished before, 0 to train in 0 packs"),  # no result depends on it
        (["seed=0", "study=other"], "1 runs: 0 finished before, 1 to train in 1 packs"),
    ]:
        assert cli.main(["train", *options, *tiny, "hydra.launcher.workers=1"]) == 0
        assert capsys.readouterr().out.splitlines()[0] == first_line
    assert len(run_folders(tmp_path / "runs" / "scratch")) == 4


def test_runs_that_diverge_are_an_outcome_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wild = ["cell=rnn", "cell.activation=relu", "cell.gain=5", "optimizer=sgd", "optimizer.clip=none"]
    small = ["task=adding", "task.gap=30", "training.max_updates=20", "training.eval_every=10", "tracker=none"]
    swept = ["seed=0,1", "optimizer.lr=1e6,1e-30", "hydra.launcher.workers=1", "training.test_samples=8"]
    assert cli.main(["train", "-m", *wild, *small, *swept]) == 0
    study = open_study(tmp_path / "runs" / "scratch")
    rows: list[Any] = study.sql("select optimizer_lr, outcome, diverged_at, update from runs order by all").fetchall()
    assert [row[:2] for row in rows] == [(1e-30, "unsolved")] * 2 + [(1e6, "diverged")] * 2
    assert all(at is not None and 0 < at <= update <= 20 for _, outcome, at, update in rows if outcome == "diverged")
    out, err = capsys.readouterr()
    assert "0/4, 2 diverged" in out
    assert "2 diverged" in err.splitlines()[-1]
    assert cli.main(["status", "runs/scratch"]) == 0
    header, _, row, *_ = capsys.readouterr().out.splitlines()
    counted = dict(zip(header.split()[:9], row.split(), strict=False))
    assert (counted["unsolved"], counted["diverged"]) == ("2", "2")


def test_one_worker_gives_the_records_of_two(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fewer = [word for word in SWEEP if not word.startswith("task")]
    assert (
        cli.main(["train", "-m", *fewer, "task=copy", "task.gap=10", "tracker=none", "hydra.launcher.workers=1"]) == 0
    )
    ours, theirs = tmp_path / "runs" / "scratch", tmp_path / "theirs"
    theirs.mkdir()
    for run_id, path in run_folders(sweep / "runs" / "scratch").items():
        if "-copy-T10-" in run_id:
            (theirs / run_id).symlink_to(path)
    assert_equal_records(ours, theirs)


def test_a_command_that_fails_before_work_says_so_in_a_process_of_its_own(tmp_path: Path) -> None:
    for arguments in (["train", "cell.hiden=3"], ["trian"]):
        done = run([LRD, *arguments], tmp_path, status=2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("lrd: ")
        assert "did you mean" in done.stderr
    assert list(tmp_path.iterdir()) == []
