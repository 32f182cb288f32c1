"""The reason of a failure, kept in the records of the runs that failed."""

from __future__ import annotations

from contextlib import suppress

from lrd.records import RecordError, holder
from lrd.sweeps.events import Event
from lrd.sweeps.plan import record_of
from lrd.sweeps.queue import unfinished


def keep_failure(event: Event, then: str) -> None:
    """Write why a pack failed into each of its records, and the traceback beside it, attempt after attempt.

    Args:
        event: the failure.
        then: what became of the attempt, such as "tried again".
    """
    for job in unfinished(event.pack.jobs):
        record = record_of(job)
        with suppress(OSError, RecordError):  # what failed may be the disk itself; the display names it all the same
            lock = holder(record.path)
            if lock and lock.alive is not False and lock.token not in event.pack.dead:
                continue  # somebody goes on with it already
            record.path.mkdir(parents=True, exist_ok=True)
            with (record.path / "error.txt").open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"{(event.trace or event.reason).rstrip()}\n-- {then}\n")
            maximum = job.run.training.max_updates
            record.status("failed", update=event.update, max_updates=maximum, message=event.reason)
