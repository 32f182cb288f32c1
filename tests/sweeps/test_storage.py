"""What a faulty disk does to a sweep: a clear error or a repaired run, never a wrong number."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commands import assert_equal_records
from jobs import job

from lrd.records import RecordError, files, open_study, read_json
from lrd.spec import Job
from lrd.sweeps.events import Event
from lrd.sweeps.execute import execute, failures
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.workers import train_pack
from lrd.training import train


def pair(root: Path, **options: Any) -> list[Job]:
    return [job(root, seed=seed, **options) for seed in range(2)]


def trained(root: Path) -> Path:
    """The study that nothing happened to."""
    execute(plan(pair(root), 1), 1)
    return root / "s"


def interrupted(jobs: list[Job]) -> None:
    """Train some updates and stop with checkpoints."""
    steps = iter(range(100))
    for pack in plan(jobs, 1).packs:
        train_pack(pack, lambda event: None, lambda: next(steps) == 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "behind"),
    [("metrics.parquet", None), ("checkpoint.pt", None), ("summary.json", None), ("status.json", None)]
    + [("summary.json", True)],  # as where packs train on a GPU
)
def test_a_full_disk_is_named_and_costs_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, behind: bool | None
) -> None:
    monkeypatch.setattr("lrd.training.train", partial(train, behind=behind))
    jobs = pair(tmp_path / "full")
    write = files.write_atomic

    def full(path: Path, fill: Any) -> None:
        if path.name == file:
            raise files.storage_error(path, errno.ENOSPC, "no space")
        write(path, fill)

    with monkeypatch.context() as patch:
        for module in ("files", "tables"):
            with contextlib.suppress(AttributeError):
                patch.setattr(f"lrd.records.{module}.write_atomic", full)
        progress = execute(plan(jobs, 1), 1, retries=1)
    assert progress.outcomes == {"failed": 2}
    (line,) = failures(progress)
    assert "the disk is full; free some space" in line
    assert file in line
    with contextlib.suppress(RecordError):  # at worst there is nothing to be read yet
        assert open_study(tmp_path / "full" / "s").sql("select count(outcome) from runs").fetchall() == [(0,)]
    progress = execute(plan(jobs, 1), 1)
    assert (progress.outcomes, progress.running, progress.share_done) == ({"unsolved": 2}, 0, 1.0)
    assert_equal_records(tmp_path / "full" / "s", trained(tmp_path / "well"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_became_read_only_is_named(tmp_path: Path) -> None:
    jobs = pair(tmp_path)
    interrupted(jobs)
    folder = record_of(jobs[0]).path
    folder.chmod(0o500)
    try:
        (line,) = failures(execute(plan(jobs, 1), 1))
    finally:
        folder.chmod(0o700)
    assert "no permission; choose another folder" in line


def test_a_run_lock_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: Any) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr("lrd.records.run_lock.os.link", refuse)
    progress = execute(plan(pair(tmp_path), 1), 1)
    (line,) = failures(progress)
    assert "the file system is read-only; choose another folder" in line


@pytest.mark.slow
def test_a_study_removed_under_a_sweep_is_trained_anew(tmp_path: Path) -> None:
    jobs = pair(tmp_path / "gone", checkpoint_seconds=1e-9)
    (pack,) = plan(jobs, 1).packs
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if event.update == 6 and event.kind == "progress":
            shutil.rmtree(tmp_path / "gone")

    train_pack(pack, emit, lambda: False)
    assert events[-1].kind == "failed"
    assert "its folder is gone; run the same command again to start afresh" in events[-1].reason
    execute(plan(jobs, 1), 1)
    assert_equal_records(tmp_path / "gone" / "s", trained(tmp_path / "well"))


def test_a_truncated_table_of_a_finished_run_is_named_and_in_no_figure(tmp_path: Path) -> None:
    study = trained(tmp_path)
    victim, other = (record_of(j) for j in pair(tmp_path))
    table = victim.path / "metrics.parquet"
    table.write_bytes(table.read_bytes()[:-40])
    opened = open_study(study)
    assert opened.sql("select distinct run_id from metrics").fetchall() == [(other.run_id,)]
    assert opened.problems == [f"cannot read {table}: it is damaged or cut off; left out"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["version", "damaged", "empty", "missing"])
def test_a_checkpoint_that_is_none_starts_its_runs_anew(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = pair(tmp_path / "cut")
    with monkeypatch.context() as patch:
        if how == "version":
            patch.setattr("lrd.records.checkpoint.SCHEMA_VERSION", 99)
        interrupted(jobs)
    checkpoint = record_of(jobs[0]).path / "checkpoint.pt"
    if how == "damaged":
        data = bytearray(checkpoint.read_bytes())
        theta = (record_of(jobs[0]).load_checkpoint() or {})["pack"]["theta"]
        data[data.index(theta.numpy().tobytes())] ^= 1  # between its parts no bit means anything
        checkpoint.write_bytes(data)
    elif how == "empty":
        checkpoint.write_bytes(b"")
    elif how == "missing":
        checkpoint.unlink()
    assert execute(plan(jobs, 1), 1).outcomes == {"unsolved": 2}
    assert how == "missing" or "starts anew" in caplog.text
    assert_equal_records(tmp_path / "cut" / "s", trained(tmp_path / "well"))


def test_a_clock_that_jumps_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = pair(tmp_path / "jump")
    clock = iter(range(10**9, 0, -(10**4)))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    interrupted(jobs)
    assert {record_of(j).state for j in jobs} == {"interrupted"}
    assert execute(plan(jobs, 1), 1).outcomes == {"unsolved": 2}
    assert read_json(record_of(jobs[0]).path / "status.json")["time"] < 10**9
    assert_equal_records(tmp_path / "jump" / "s", trained(tmp_path / "well"))
