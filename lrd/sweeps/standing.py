"""The state of a study, from its records alone: who trains it, how fast, and how long it takes yet."""

from __future__ import annotations

from dataclasses import dataclass

from lrd.records import BEAT, RunLock, Study, heartbeat_age, holder
from lrd.sweeps.tables import PACED
from lrd.sweeps.units import duration

_WORK = """
select coalesce(sum("update"), 0), coalesce(sum("left"), 0), sum("left" * pace),
    count(*) filter (outcome is null), count(*) filter ("left" > 0 and pace is null)
from paced
"""
#: What the records cannot say: an interrupted sweep leaves no trace of runs that it had not begun.
NOT_BEGUN = "runs not begun leave no record: lrd plan, with the arguments of the sweep, says how many are left"
_QUIET = 3 * BEAT  # a heartbeat may be late by one or two; what is silent for longer is worth a word


@dataclass(frozen=True)
class Holder:
    """A process that holds runs of a study. ``silent``: seconds without heartbeat, where its life cannot be seen."""

    who: str
    alive: bool | None
    silent: float | None
    runs: tuple[str, ...]

    @property
    def at_work(self) -> bool:
        """Return whether it is known, or may be taken, to train."""
        return self.alive if self.alive is not None else self.silent is None or self.silent < _QUIET

    @property
    def line(self) -> str:
        """Return a line that says what it holds, and whether it lives."""
        runs = f"held: {len(self.runs)} run{'s' if len(self.runs) > 1 else ''} by {self.who}"
        if self.alive is not None:
            return f"{runs}, {'alive' if self.alive else 'gone: the same command again takes over'}"
        if self.silent is None:
            return f"{runs}, not to be seen from here"
        if self.silent < _QUIET:
            return f"{runs}, last heartbeat {duration(self.silent)} ago"
        return f"{runs}, no heartbeat for {duration(self.silent)}: the same command again takes over if it stays so"


def holders(study: Study) -> list[Holder]:
    """Return the processes that hold unfinished runs of a study."""
    held: dict[str, list[tuple[str, RunLock]]] = {}
    for (run_id,) in study.sql("select run_id from runs where outcome is null order by all").fetchall():
        if lock := holder(study.path / run_id):
            held.setdefault(lock.who, []).append((run_id, lock))
    found = []
    for who, locks in sorted(held.items()):
        alive = locks[0][1].alive
        # A process beats for all its locks at once: the freshest counts.
        ages = [] if alive is not None else [age for _, lock in locks if (age := heartbeat_age(lock)) is not None]
        found.append(Holder(who, alive, min(ages, default=None), tuple(run_id for run_id, _ in locks)))
    return found


def unheld(study: Study, found: list[Holder]) -> list[str]:
    """Return a line for runs that say that they run, on another machine, and that no process holds."""
    held = {run_id for each in found for run_id in each.runs}
    running = study.sql("select run_id from runs where state = 'running'").fetchall()
    lost = sum(run_id not in held for (run_id,) in running)
    return [f"running, yet held by no process: {lost}; the same command again goes on with them"] if lost else []


def to_go(study: Study, found: list[Holder]) -> str:
    """Return one line: updates done of updates to do, how fast, how long yet."""
    ((done, left, seconds, open_runs, unknown),) = study.sql(PACED + _WORK).fetchall()
    if not open_runs:
        return f"{done:,.0f} updates done, nothing left of the runs begun"
    line = f"{done:,.0f} of at most {done + left:,.0f} updates of the runs begun are done"
    workers = sum(each.at_work for each in found)
    if seconds is None or unknown:
        return f"{line}; no run got far enough to say how long the rest takes"
    if not workers:
        return f"{line}; nobody is at it; at most {duration(seconds)} of work for one worker"
    rate = (
        f"{workers * left / seconds:,.0f} run-updates/s by {workers} process{'es' if workers > 1 else ''}; "
        if seconds
        else ""
    )
    return f"{line}; {rate}at most {duration(seconds / workers)} to go"
