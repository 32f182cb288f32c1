"""How far a sweep is: counts, rate and time to go, from the events of its packs.

The time to go is a range. Its least is what is left if the runs that may stop early do so soon, its most if none does;
the runs of a kind that have finished narrow it (``lrd.sweeps.endings``). How fast a pack goes is what its events say:
since its beginning, and since the last one. Where no pack of a kind has begun, it is taken to be as fast, beside those
that have, as a short measurement of each says (``lrd.sweeps.measuring``).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from lrd.spec import RunSpec
from lrd.sweeps.endings import Range, end_of, finished_runs, makespan
from lrd.sweeps.events import Event
from lrd.sweeps.measuring import FASTER, SLOWER, measure
from lrd.sweeps.plan import Plan, PlannedPack, record_of
from lrd.sweeps.sizes import preactivations
from lrd.sweeps.units import span

RATE_SECONDS = 60.0  # over which the rate is taken: long beside an evaluation, short beside a sweep
#: Runs of a pack that are measured, at most: more take the time of a core from the workers, and say little more.
MEASURED_RUNS = 8


@dataclass(frozen=True)
class Active:
    """A pack in training: its runs, the update that they have reached, and how long the way there took."""

    runs: int
    update: int
    last: float  # moment of its last event
    since: float  # moment of its first event
    done: int  # run-updates since then


@dataclass
class Progress:
    """Counts of runs by what became of them, and the work that is left.

    Runs that another command trains are no work of this one.
    """

    plan: Plan
    workers: int = 1  # packs that train at once
    measures: bool = False  # whether kinds may be measured here, on a CPU
    outcomes: Counter[str] = field(default_factory=Counter)
    newest_failure: str = ""
    failures: list[tuple[PlannedPack, str]] = field(default_factory=list)
    interrupted: bool = False
    elsewhere: int = 0  # runs that another command trains

    def __post_init__(self) -> None:
        self._left = {pack.number: pack.work for pack in self.plan.packs}
        self._packs = {pack.number: pack for pack in self.plan.packs}
        self._active: dict[int, Active] = {}
        self._paces: dict[str, Range] = {}  # seconds of a run-update, by kind
        self._ends: dict[str, list[int]] = {}
        for run in finished_runs(self.plan.finished):
            self._ends.setdefault(run.run.pack_key, []).append(run.update)
        self._done = 0
        self._counted: set[tuple[Path, str | None]] = set()
        self._history: deque[tuple[float, int]] = deque()  # moments at work, and the run-updates done by then
        self._worked = 0.0  # seconds in which runs of this command were trained, up to the last pause
        self._since: float | None = None  # when the work that goes on now began

    def take(self, event: Event) -> None:
        """Count one event."""
        self._take(event)
        if self._active and self._since is None:
            self._since = time.monotonic()
        elif not self._active and self._since is not None:
            self._worked, self._since = self._at_work, None

    def _take(self, event: Event) -> None:
        key = event.pack.number
        run = event.pack.jobs[0].run
        self._packs[key] = event.pack
        for summary in event.finished:
            self._ends.setdefault(run.pack_key, []).append(summary["update"])
        if event.kind == "failed":
            self._active.pop(key, None)
            self._left[key] = 0
            unfinished = sum(not record_of(job).finished for job in event.pack.jobs)
            self.outcomes["failed"] += unfinished
            self.newest_failure = event.reason
            self.failures.append((event.pack, event.reason))
        elif event.kind == "interrupted":
            self._active.pop(key, None)
            self.interrupted = True
        elif event.kind == "again":
            self._active.pop(key, None)
            self._left.pop(key, None)
            self._left |= {part.number: part.work for part in event.parts}
            self._packs |= {part.number: part for part in event.parts}
            self.newest_failure = event.reason or self.newest_failure
        elif event.kind == "left":
            stay = len(event.pack.jobs) - len(event.left)
            self._active.pop(key, None)
            self._left[key] = stay * (run.training.max_updates - event.pack.start)
        elif event.kind == "finished":
            self._count(event)
        else:
            self._count(event)
            left = event.active * (run.training.max_updates - event.update)
            saved = sum(run.training.max_updates - summary["update"] for summary in event.finished)
            done = max(0, self._left.get(key, 0) - left - saved)
            self._advance(done)
            self._left[key] = left
            self._pace(event, done)
            if not event.active:
                del self._active[key]

    def _pace(self, event: Event, done: int) -> None:
        """Take in how long a pack took for the run-updates since its last event, and since its first one."""
        key, run, now = event.pack.number, event.pack.jobs[0].run, time.monotonic()
        before = self._active.get(key)
        since, total = (before.since, before.done + done) if before else (now, 0)
        self._active[key] = Active(event.active, event.update, now, since, total)
        if before and done and now > since:
            paces = ((now - before.last) / done, (now - since) / total)
            self._paces[run.pack_key] = Range(min(paces), max(paces))

    def _advance(self, updates: int) -> None:
        self._done += updates
        now = self._at_work
        self._history.append((now, self._done))
        while len(self._history) > 1 and self._history[1][0] <= now - RATE_SECONDS:
            self._history.popleft()

    @property
    def _at_work(self) -> float:
        """Return the seconds in which this command trained runs; in others it waited for runs of another command."""
        return self._worked + (0 if self._since is None else time.monotonic() - self._since)

    def _count(self, event: Event) -> None:
        """Count finished runs, each once: a run may be found finished by several."""
        for summary in event.finished:
            key = (event.pack.jobs[0].place.folder, summary.get("run_id"))
            if key not in self._counted:
                self.outcomes[summary["outcome"]] += 1
            if key[1] is not None:
                self._counted.add(key)

    @property
    def running(self) -> int:
        """Return the number of runs that are being trained."""
        return sum(active.runs for active in self._active.values())

    @property
    def waiting(self) -> int:
        """Return the number of runs that nobody trains yet."""
        known = len(self.plan.finished) + self.running + self.elsewhere + self.outcomes.total()
        return max(0, len(self.plan.runs) - known)

    @property
    def rate(self) -> float:
        """Return the run-updates a second over the last minute or so."""
        if not self._history:
            return 0.0
        (since, before), (last, done) = self._history[0], self._history[-1]
        # Up to the last event, for many updates pass between two; but a silence longer than all that lowers the rate.
        seconds = max(last - since, self._at_work - last)
        return (done - before) / seconds if seconds > 0 else 0.0

    @property
    def to_go(self) -> Range | None:
        """Return the seconds to go; None before any pack has got further."""
        if not self._paces:
            return None
        busy: list[Range] = []
        waiting: list[Range] = []
        at: dict[str, list[int]] = {}
        for number, active in self._active.items():
            at.setdefault(self._packs[number].jobs[0].run.pack_key, []).extend([active.update] * active.runs)
        for number, left in self._left.items():
            pack = self._packs[number]
            run = pack.jobs[0].run
            ends, pace = self._ends.get(run.pack_key, ()), self._pace_of(run)
            if number in self._active:
                active = self._active[number]
                end = end_of(run, ends, active.update)
                gone = time.monotonic() - active.last
                least, most = (active.runs * (each - active.update) for each in end)
                most += active.runs * _test(run)
                busy.append(Range(max(0.0, pace.least * least - gone), pace.most * most))
            elif left:
                end = end_of(run, ends, pack.start, at.get(run.pack_key, ()))
                runs = left / max(1, run.training.max_updates - pack.start)
                least, most = (runs * (each - pack.start) for each in end)
                waiting.append(Range(pace.least * least, pace.most * (most + runs * _test(run))))
        free = [Range(0.0, 0.0)] * max(0, self.workers - len(busy))
        return Range(*(makespan([w[end] for w in waiting], [b[end] for b in [*busy, *free]]) for end in (0, 1)))

    def _pace_of(self, run: RunSpec) -> Range:
        """Return the seconds of a run-update of a kind."""
        if run.pack_key in self._paces:
            return self._paces[run.pack_key]
        ratios = {kind: self._measured[run.pack_key] / self._measured[kind] for kind in self._paces}
        least = min(pace.least * ratios[kind] for kind, pace in self._paces.items())
        most = max(pace.most * ratios[kind] for kind, pace in self._paces.items())
        return Range(least / FASTER, most * SLOWER)

    @cached_property
    def _measured(self) -> dict[str, float]:
        """Return the seconds of a run-update of each kind: measured on short sequences, or else its size."""
        shapes = {
            pack.jobs[0].run.pack_key: (pack.jobs[0].run, min(MEASURED_RUNS, len(pack.jobs)))
            for pack in self.plan.packs
        }
        if self.measures:
            costs, _ = measure(list(shapes.values()), torch.device("cpu"), seconds=0)
            found = {
                kind: cost.of(run, 0, run.training.max_updates) / run.training.max_updates / runs
                for (kind, (run, runs)), cost in zip(shapes.items(), costs, strict=True)
                if cost
            }
            if len(found) == len(shapes):
                return found
        return {kind: float(preactivations(run)) for kind, (run, _) in shapes.items()}

    @property
    def share_done(self) -> float:
        """Return the share done of the work that this command has to do at most."""
        total = sum(pack.work for pack in self.plan.packs)
        return 1 - sum(self._left.values()) / total if total else 1.0

    def line(self) -> str:
        """Return one line: counts, rate and time to go."""
        counts = {
            "waiting": self.waiting,
            "running": self.running,
            "elsewhere": self.elsewhere,
            **{name: self.outcomes[name] for name in ("solved", "unsolved", "diverged", "failed")},
            "done before": len(self.plan.finished),
        }
        parts = [f"{count} {name}" for name, count in counts.items() if count or name in ("running", "solved")]
        to_go = self.to_go if self.running + self.waiting else None
        return f"{', '.join(parts)} | {self.rate:,.0f} run-updates/s" + (f", {span(*to_go)} to go" if to_go else "")


def _test(run: RunSpec) -> float:
    """Return the updates in whose time the test at a run's end is done at the latest, if evaluations took it all."""
    training = run.training
    return training.eval_every * training.test_samples / training.eval_samples
