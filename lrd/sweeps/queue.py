"""The queue of packs, which are planned anew when they are handed out and tried again when they fail.

A pack that fails is tried again from its checkpoints, so many times without progress; one that does not fit in memory
is split in halves, down to single runs. Runs that another command holds are waited for: once it has finished them they
are done, and once it has let go of them (or died) they are ours.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lrd.records import LockWatch, RecordError, holder
from lrd.spec import Job
from lrd.sweeps.events import Event
from lrd.sweeps.plan import PlannedPack, plan, record_of

CHECK_SECONDS = 1.0  # between checks of the runs that others hold


class Queue:
    """Packs that wait, and runs that others hold; ``report`` gets an event for everything that changes the plan."""

    def __init__(
        self, packs: Sequence[PlannedPack], retries: int = 0, report: Callable[[Event], None] = lambda event: None
    ) -> None:
        self.retries = retries
        self.elsewhere: dict[Path, Job] = {}
        self.carried: Collection[Path] = ()  # runs that are under way already and come back only by ``failed``
        self._waiting = list(packs)
        self._report = report
        self._numbers = itertools.count(max((pack.number for pack in packs), default=-1) + 1)
        self._watch = LockWatch()
        self._checked = float("-inf")

    @property
    def empty(self) -> bool:
        """Return whether nothing waits, here or elsewhere."""
        return not self._waiting and not self.elsewhere

    def new_number(self) -> int:
        """Return a name for a further pack."""
        return next(self._numbers)

    @property
    def holders(self) -> list[str]:
        """Return the processes that hold the runs that are waited for."""
        locks = [holder(path) for path in self.elsewhere]
        return sorted({lock.who for lock in locks if lock})

    def take(self) -> PlannedPack | None:
        """Return the next pack of runs that are neither finished nor held elsewhere; None where there is none now."""
        if self.elsewhere and time.monotonic() - self._checked >= CHECK_SECONDS:
            self._checked = time.monotonic()
            jobs, self.elsewhere = list(self.elsewhere.values()), {}
            self._waiting += self._planned(PlannedPack(next(self._numbers), tuple(jobs)))
        while self._waiting:
            pack = self._waiting.pop(0)
            fresh = self._planned(pack)
            self._waiting[:0] = fresh[1:]
            if fresh:
                return fresh[0]
        return None

    def leave(self, event: Event) -> None:
        """Wait for the event's runs, which a worker found held by another process, or lost to one."""
        for job in event.left:
            self.elsewhere[record_of(job).path] = job

    def put_back(self, pack: PlannedPack) -> None:
        """Put a pack back whose worker alone was asked to stop."""
        self._waiting.insert(0, pack)
        self._report(Event("again", pack, parts=(pack,)))

    def failed(self, event: Event) -> Event:
        """Try the event's pack again, in halves if it wants too much memory, or give it up.

        Returns:
            The event itself where the pack is given up; else an event ``again`` with the parts that wait.
        """
        pack = event.pack
        jobs = tuple(job for job in pack.jobs if not self._is_done(job) and record_of(job).path not in self.elsewhere)
        kills = pack.kills + event.killed
        parts: tuple[PlannedPack, ...]
        if not jobs:
            parts = ()
        elif len(jobs) > 1 and (event.memory or kills > 1):
            half = (len(jobs) + 1) // 2
            parts = tuple(
                PlannedPack(next(self._numbers), part, pack.start, dead=pack.dead)
                for part in (jobs[:half], jobs[half:])
            )
        elif pack.failures < self.retries or (len(jobs) > 1 and event.killed):
            parts = (replace(pack, jobs=jobs, failures=pack.failures + 1, kills=kills),)
        else:
            return replace(event, pack=replace(pack, jobs=jobs))
        self._waiting += parts
        return Event("again", pack, reason=event.reason, trace=event.trace, parts=parts)

    def _planned(self, pack: PlannedPack) -> list[PlannedPack]:
        """Return the pack as it is to be trained now: in parts where its runs stand at different updates."""
        jobs, dead = [], set(pack.dead)
        for job in pack.jobs:
            path = record_of(job).path
            if path in self.carried or self._is_done(job):
                continue
            lock = holder(path)
            if lock is not None and lock.token not in dead and not self._watch.dead(lock):
                self.elsewhere[path] = job
                continue
            if lock is not None:
                dead.add(lock.token)
            jobs.append(job)
        parts = plan(jobs, 1, load=True).packs
        if len(parts) == 1 and len(jobs) == len(pack.jobs) and parts[0].start == pack.start:
            return [replace(pack, dead=frozenset(dead))]
        fresh = [
            replace(
                pack,
                number=number,
                jobs=part.jobs,
                start=part.start,
                dead=frozenset(dead),
                failures=0 if part.start > pack.start else pack.failures,
            )
            for number, part in zip(itertools.chain([pack.number], self._numbers), parts, strict=False)
        ]
        self._report(Event("again", pack, parts=tuple(fresh)))
        return fresh

    def _is_done(self, job: Job) -> bool:
        record = record_of(job)
        if not record.finished:
            return False
        with suppress(RecordError):  # damaged: the reader of the study names it
            summary = {"run_id": record.run_id, **(record.read_summary() or {})}
            self._report(Event("finished", PlannedPack(-1, (job,)), finished=[summary]))
        return True


def unfinished(jobs: Iterable[Job]) -> list[Job]:
    """Return the runs whose record has no summary."""
    return [job for job in jobs if not record_of(job).finished]
