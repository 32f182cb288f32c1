"""What records and squeue say of a job's packs; no SLURM is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs import job, pack

from lrd.records import process
from lrd.records.run_lock import take_run_lock as take
from lrd.sweeps.events import Event
from lrd.sweeps.failures import keep_failure
from lrd.sweeps.plan import PlannedPack, record_of
from lrd.sweeps.slurm_judge import begun, judge, progress
from lrd.sweeps.slurm_squeue import Seen
from lrd.sweeps.workers import train_pack

RUNNING, FAILED, COMPLETED = (Seen("12_3", state) for state in ("RUNNING", "FAILED", "COMPLETED"))


@pytest.fixture(autouse=True)
def _in_a_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is in SLURM job 12_3."""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    process._identity.cache_clear()
    yield
    process._identity.cache_clear()


def two(root: Path, **options: Any) -> PlannedPack:
    return pack(7, *(job(root, seed=seed, **options) for seed in range(2)))


def train(planned: PlannedPack, updates: int | None = None) -> None:
    """To its end, or so many updates."""
    asked = itertools.count()
    train_pack(planned, lambda event: None, lambda: next(asked) == updates)


def verdict(planned: PlannedPack, seen: Seen, folder: Path, *log: str, retries: int = 2) -> Event:
    path = folder / "log"
    path.write_text("\n".join(log))
    return judge(planned, seen, path, retries)


def test_a_pack_that_nobody_began_reports_nothing(tmp_path: Path) -> None:
    assert progress(two(tmp_path), RUNNING) is None
    assert not begun(two(tmp_path), RUNNING)


def test_a_pack_at_work_reports_its_update(tmp_path: Path) -> None:
    planned = two(tmp_path)
    train(planned, 5)
    assert begun(planned, RUNNING)
    assert not begun(planned, Seen("13", "RUNNING"))
    assert progress(planned, RUNNING) is None  # its run locks were given back
    locks = [take(record_of(run).path) for run in planned.jobs]
    assert all(locks)
    assert progress(planned, RUNNING) == Event("progress", planned, 5, 2)
    assert progress(planned, Seen("12_3", "PENDING")) is None


def test_a_finished_pack_is_counted_once(tmp_path: Path) -> None:
    planned = two(tmp_path)
    train(planned)
    reported = progress(planned, RUNNING)
    assert reported is not None
    assert (reported.active, [summary["outcome"] for summary in reported.finished]) == (0, ["unsolved"] * 2)
    counted = {summary["run_id"] for summary in reported.finished}
    assert progress(planned, RUNNING, counted) is None
    for state in (COMPLETED, FAILED):  # what the records hold counts, not how the job ended
        assert judge(planned, state, tmp_path / "log", 0, counted) == Event("progress", planned, 12, 0)


def test_a_job_that_died_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    planned = two(tmp_path)
    locks = [take(record_of(run).path) for run in planned.jobs]
    event = verdict(planned, FAILED, tmp_path, "warning", "srun: error: node7: task 0: Killed", "")
    assert event.reason == "SLURM job 12_3 died: srun: error: node7: task 0: Killed"
    assert (event.kind, event.killed, event.memory, event.kept) == ("failed", True, False, False)
    assert event.pack.failures == 0
    assert event.pack.dead == {lock.token for lock in locks if lock}  # nobody waits for a dead job's heartbeat
    assert str(tmp_path / "log") in event.trace


def test_a_job_without_memory_says_so(tmp_path: Path) -> None:
    assert verdict(two(tmp_path), Seen("12_3", "OUT_OF_MEMORY"), tmp_path).memory


@pytest.mark.parametrize(
    ("reason", "memory"),
    [
        ("ValueError: no", False),
        ("MemoryError: no", True),
        ("OutOfMemoryError: CUDA out of memory. Tried", True),
        ("RecordError: cannot write x: it broke", False),
    ],
)
def test_what_a_job_said_of_its_failure_counts_and_is_kept_already(tmp_path: Path, reason: str, memory: bool) -> None:
    planned = two(tmp_path)
    keep_failure(Event("failed", planned, reason=reason), "in SLURM job 12_3")
    event = verdict(planned, FAILED, tmp_path, "srun: error: node7: task 0: Exited with exit code 1")
    assert (event.reason, event.memory, event.kept) == (reason, memory, True)
    other = verdict(planned, Seen("14", "FAILED"), tmp_path, "what 14 said")  # an earlier job's words are not its own
    assert other.reason == "SLURM job 14 died: what 14 said"


def test_what_was_cancelled_is_given_up_at_once(tmp_path: Path) -> None:
    event = verdict(two(tmp_path), Seen("12_3", "CANCELLED"), tmp_path, retries=2)
    assert event.reason == "SLURM job 12_3 was cancelled; the same command again goes on"
    assert event.pack.failures == 2


def test_a_job_that_stopped_and_was_not_requeued_is_given_up_with_its_own_words(tmp_path: Path) -> None:
    planned = two(tmp_path)
    train(planned, 5)
    event = verdict(planned, FAILED, tmp_path, "lrd: it was requeued often", "srun: error: Exited with exit code 1")
    assert event.reason.startswith(
        "SLURM job 12_3 stopped with checkpoints and was not requeued: it was requeued often"
    )
    assert (event.pack.failures, event.update) == (2, 5)


def test_runs_that_another_holds_are_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = two(tmp_path)
    for run in planned.jobs:
        assert take(record_of(run).path)
    event = verdict(planned, Seen("14", "COMPLETED"), tmp_path)
    assert (event.kind, event.left) == ("left", planned.jobs)
    assert verdict(planned, Seen("14", "FAILED"), tmp_path).kind == "failed"


def test_a_job_that_ended_well_without_its_runs_has_failed(tmp_path: Path) -> None:
    assert verdict(two(tmp_path), COMPLETED, tmp_path).reason == "SLURM job 12_3 ended and left its runs"
