"""Verdicts on a job's packs, from records and ``squeue``: how far they are, and how they ended."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrd.records import RecordError, holder
from lrd.spec import Job
from lrd.sweeps.events import Event, was_of_memory
from lrd.sweeps.plan import PlannedPack, record_of
from lrd.sweeps.queue import unfinished
from lrd.sweeps.slurm_job import OURS
from lrd.sweeps.slurm_squeue import Seen

_KILLED = re.compile(r"\bkilled\b|oom", re.IGNORECASE)  # as srun says of a task that the system killed


def progress(pack: PlannedPack, job: Seen, counted: Collection[str] = ()) -> Event | None:
    """Return how far a pack is, and which runs ended beside those ``counted``; None where that is not known."""
    left = unfinished(pack.jobs)
    done = _ended(pack, counted)
    locks = [holder(record_of(run).path) for run in left]
    active = len(left) if job.at_work and any(lock and lock.job == job.id for lock in locks) else 0
    if not active and not done:
        return None
    updates = [status["update"] for run in left if (status := _status(run, job))]
    return Event("progress", pack, max([pack.start, *updates]), active, done)


def begun(pack: PlannedPack, job: Seen) -> bool:
    """Return whether the job got as far as this pack."""
    return any(_status(run, job) for run in pack.jobs)


def judge(pack: PlannedPack, job: Seen, log: Path, retries: int, counted: Collection[str] = ()) -> Event:
    """Return what became of a pack whose job has ended: done, failed, or left to another process.

    What the user cancelled, and what was requeued often enough, is not tried again. ``log``: of the job's errors.
    """
    left = unfinished(pack.jobs)
    if not left:
        return Event("progress", pack, pack.jobs[0].run.training.max_updates, 0, _ended(pack, counted))
    locks = {run.run.run_id: holder(record_of(run).path) for run in left}
    held = tuple(run for run in left if (lock := locks[run.run.run_id]) and lock.job != job.id)
    if len(held) == len(left) and job.state == "COMPLETED":
        return Event("left", pack, left=held)
    # Whatever it was, it holds nothing any more.
    dead = pack.dead | {lock.token for lock in locks.values() if lock and lock.job == job.id}
    pack = replace(pack, dead=dead)
    statuses = [status for run in left if (status := _status(run, job))]
    update = max([pack.start, *(status["update"] for status in statuses)])
    failed = [status for status in statuses if status.get("state") == "failed"]
    if failed:
        reason = str(failed[0].get("message", ""))
        return Event("failed", pack, update, reason=reason, memory=was_of_memory(reason), kept=True)
    words = f": {last}" if (last := _last_line(log)) else ""
    final = replace(pack, failures=retries, kills=0)
    if job.state == "CANCELLED":
        return Event("failed", final, update, reason=f"SLURM job {job.id} {job.end}; the same command again goes on")
    if job.state != "TIMEOUT" and any(status.get("state") == "interrupted" for status in statuses):
        reason = f"SLURM job {job.id} stopped with checkpoints and was not requeued"
        return Event("failed", final, update, reason=f"{reason}{words}; the same command again goes on")
    reason = f"SLURM job {job.id} {job.end}{words}"
    return Event(
        "failed",
        pack,
        update,
        reason=reason,
        trace=f"{reason}\nits log: {log}",
        memory=job.state == "OUT_OF_MEMORY",
        killed=bool(_KILLED.search(words)),
    )


def _ended(pack: PlannedPack, counted: Collection[str]) -> list[dict[str, Any]]:
    return [summary for run in pack.jobs if run.run.run_id not in counted and (summary := _summary(run))]


def _summary(run: Job) -> dict[str, Any] | None:
    record = record_of(run)
    with suppress(RecordError):  # damaged: the reader of the study names it
        summary = record.read_summary()
        return None if summary is None else {"run_id": record.run_id, **summary}
    return None


def _status(run: Job, job: Seen) -> dict[str, Any] | None:
    """Return what the job itself wrote last of a run."""
    with suppress(RecordError):
        status = record_of(run).read_status()
        return status if status and status.get("job") == job.id else None
    return None


def _last_line(log: Path) -> str:
    """Return what the job said last; SLURM's own words only where it said nothing of its own."""
    try:
        said = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ours = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    return [*lines, *ours][-1] if lines else ""
