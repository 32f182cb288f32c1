"""When runs end, and how fast they get there: what finished runs of the same kind say of the others."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from lrd.records import RecordError
from lrd.spec import Job, RunSpec
from lrd.sweeps.plan import record_of

_ENOUGH = 20  # finished runs of one kind that are read


class Range(NamedTuple):
    """The least and the most that a number is expected to be."""

    least: float
    most: float

    def times(self, factor: float) -> Range:
        """Return both ends times a factor."""
        return Range(self.least * factor, self.most * factor)


@dataclass(frozen=True)
class FinishedRun:
    """When a run ended, the seconds of its share of an update, and where and in what company it trained."""

    run: RunSpec
    update: int
    pace: float
    hardware: str | None
    pack_size: float


def finished_runs(jobs: Sequence[Job]) -> list[FinishedRun]:
    """Read finished runs, a few of each kind. Damaged records are passed over: the reader of a study names them."""
    by_kind: dict[str, list[Job]] = {}
    for job in jobs:
        by_kind.setdefault(job.run.pack_key, []).append(job)
    found = []
    for job in itertools.chain.from_iterable(some[:_ENOUGH] for some in by_kind.values()):
        with suppress(RecordError, OSError, KeyError, TypeError, ValueError):
            summary, status = record_of(job).read_summary() or {}, record_of(job).read_status() or {}
            update, seconds = int(summary["update"]), float(summary["seconds"])
            if update and seconds > 0:
                size = float(status.get("pack_size") or 1)
                found.append(FinishedRun(job.run, update, seconds / update, status.get("hardware"), size))
    return found


def same_pace(run: RunSpec) -> str:
    """Return a text that is equal for runs whose updates take the same time, however many they are."""
    return replace(run, training=replace(run.training, max_updates=1, solved_evals=1, stop_when_solved=True)).pack_key


def end_of(run: RunSpec, ends: Iterable[int], at: int = 0, running: Sequence[int] = ()) -> Range:
    """Return between which updates a run is expected to end, on average.

    The least is where runs of its kind ended and one more ended as soon as it may be solved; the most is where one more
    is never solved. So the range narrows with every run that ends.

    Args:
        run: the run.
        ends: updates at which finished runs of its kind ended.
        at: the update that it has reached; runs that ended before say nothing of it.
        running: updates that other runs of its kind have reached.
    """
    training, last = run.training, run.training.max_updates
    soonest = last
    if training.stop_when_solved:
        next_one = (at // training.eval_every + 1) * training.eval_every
        soonest = min(last, max(next_one, (training.solved_evals - 1) * training.eval_every))
    later = [end for end in ends if end > at]
    return Range(
        statistics.fmean([soonest, *later, *running]),
        statistics.fmean([last, *later, *[last] * len(running)]),
    )


def makespan(seconds: Iterable[float], busy: Sequence[float]) -> float:
    """Return when the last of some packs is done if each idle worker takes the next one.

    Args:
        seconds: how long each pack takes, in the order in which they are begun.
        busy: for each worker, the seconds that it is busy yet with something else.
    """
    free = list(busy)
    heapq.heapify(free)
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)
