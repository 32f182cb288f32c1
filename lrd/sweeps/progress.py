"""How far a sweep is: counts, rate and time to go, from the events of its packs."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from lrd.sweeps.plan import Plan, PlannedPack, record_of
from lrd.sweeps.workers import Event


@dataclass
class Progress:
    """Counts of runs by what became of them, and the work that is left.

    A run that ends early saves work; the estimate counts what is left as if every run went to its last update, and so
    is an upper bound.
    """

    plan: Plan
    outcomes: Counter[str] = field(default_factory=Counter)
    newest_failure: str = ""
    failures: list[tuple[PlannedPack, str]] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        self._left = {pack.number: pack.work for pack in self.plan.packs}
        self._active: dict[int, int] = {}
        self._done = 0
        self._started = time.monotonic()

    def take(self, event: Event) -> None:
        """Count one event."""
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
        else:
            self.outcomes.update(summary["outcome"] for summary in event.finished)
            left = event.active * (run.training.max_updates - event.update)
            saved = sum(run.training.max_updates - summary["update"] for summary in event.finished)
            self._done += max(0, self._left[key] - left - saved)
            self._left[key] = left
            self._active[key] = event.active
            if not event.active:
                del self._active[key]

    @property
    def running(self) -> int:
        """Runs that are being trained."""
        return sum(self._active.values())

    @property
    def waiting(self) -> int:
        """Runs that nobody trains yet."""
        return len(self.plan.runs) - len(self.plan.finished) - self.running - self.outcomes.total()

    @property
    def rate(self) -> float:
        """Run-updates a second."""
        return self._done / max(1e-9, time.monotonic() - self._started)

    @property
    def eta(self) -> float:
        """Seconds to go, at most; inf before the first update."""
        return sum(self._left.values()) / self.rate if self._done else float("inf")

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
