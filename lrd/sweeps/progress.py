"""How far a sweep is: counts, rate and time to go, from the events of its packs."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from lrd.sweeps.events import Event
from lrd.sweeps.plan import Plan, PlannedPack, record_of

RATE_SECONDS = 60.0  # over which the rate is taken: long beside an evaluation, short beside a sweep


@dataclass
class Progress:
    """Counts of runs by what became of them, and the work that is left.

    A run that ends early saves work; the estimate counts what is left as if every run went to its last update, and so
    is an upper bound. Runs that another command trains are no work of this one.
    """

    plan: Plan
    outcomes: Counter[str] = field(default_factory=Counter)
    newest_failure: str = ""
    failures: list[tuple[PlannedPack, str]] = field(default_factory=list)
    interrupted: bool = False
    elsewhere: int = 0  # runs that another command trains

    def __post_init__(self) -> None:
        self._left = {pack.number: pack.work for pack in self.plan.packs}
        self._active: dict[int, int] = {}
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
            self._advance(max(0, self._left.get(key, 0) - left - saved))
            self._left[key] = left
            self._active[key] = event.active
            if not event.active:
                del self._active[key]

    def _advance(self, updates: int) -> None:
        self._done += updates
        now = self._at_work
        self._history.append((now, self._done))
        while len(self._history) > 1 and self._history[1][0] <= now - RATE_SECONDS:
            self._history.popleft()

    @property
    def _at_work(self) -> float:
        """Seconds in which runs of this command were trained: waiting for those of another says nothing of our pace."""
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
        """Runs that are being trained."""
        return sum(self._active.values())

    @property
    def waiting(self) -> int:
        """Runs that nobody trains yet."""
        known = len(self.plan.finished) + self.running + self.elsewhere + self.outcomes.total()
        return max(0, len(self.plan.runs) - known)

    @property
    def rate(self) -> float:
        """Run-updates a second over the last minute or so."""
        if not self._history:
            return 0.0
        (since, before), (last, done) = self._history[0], self._history[-1]
        # Up to the last event, for many updates pass between two; but a silence longer than all that lowers the rate.
        seconds = max(last - since, self._at_work - last)
        return (done - before) / seconds if seconds > 0 else 0.0

    @property
    def eta(self) -> float:
        """Seconds to go, at most; inf before the first update."""
        left, rate = sum(self._left.values()), self.rate
        return left / rate if rate else float("inf")

    @property
    def share_done(self) -> float:
        """Of the work that this command has to do at most."""
        total = sum(pack.work for pack in self.plan.packs)
        return 1 - sum(self._left.values()) / total if total else 1.0

    def line(self) -> str:
        """One line that says it all."""
        counts = {
            "waiting": self.waiting,
            "running": self.running,
            "elsewhere": self.elsewhere,
            **{name: self.outcomes[name] for name in ("solved", "unsolved", "diverged", "failed")},
            "done before": len(self.plan.finished),
        }
        parts = [f"{count} {name}" for name, count in counts.items() if count or name in ("running", "solved")]
        to_go = f", at most {duration(self.eta)} to go" if self.running + self.waiting and self.eta < 1e9 else ""
        return f"{', '.join(parts)} | {self.rate:,.0f} run-updates/s{to_go}"


def duration(seconds: float) -> str:
    """``1 h 05 min``, ``3 min 20 s`` or ``12 s``."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds} s"
