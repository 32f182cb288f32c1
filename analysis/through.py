"""Through training: runs that were looked at, and ended, at different updates set side by side.

Looks are log-spaced, the same updates for all runs, and each run has one more at its end. A run that ended, because
it solved the task, counts with its last look from there on, as in the learning curves: or the runs that are still
struggling would be all that is left. One that failed, or has not ended, counts as far as it was looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
from numpy.typing import NDArray

from lrd.stats import median


@dataclass(frozen=True)
class Moments:
    """``updates`` [moments] of a group of runs, and which look of each run counts there (``laid_out``)."""

    updates: NDArray[np.int64]
    run: NDArray[np.int64]  # of each row
    look: NDArray[np.int64]  # of each row
    picked: NDArray[np.int64]  # [moments, runs]; the last of all looks, which nobody took, where none counts

    def laid_out(self, values: common.Array, place: common.Array | None = None) -> NDArray[np.float64]:
        """A column of the rows as [moments, runs] or, with the ``place`` of each row, as [moments, runs, places]."""
        looks = int(self.look.max()) + 2
        runs = self.picked.shape[1]
        further = () if place is None else (int(place.max()) + 1,)
        table = np.full((runs, looks, *further), np.nan)
        at = (self.run, self.look) if place is None else (self.run, self.look, place)
        table[at] = common.plain(values)
        return table[np.arange(runs), self.picked]


def moments_of(rows: common.Table) -> Moments:
    """The moments of a group of rows with run_id, update and ended: every scheduled look, and the last run's end."""
    names, run = np.unique(rows["run_id"].astype(str), return_inverse=True)
    updates, look = np.unique(rows["update"], return_inverse=True)
    seen = np.zeros((len(names), len(updates)), dtype=bool)
    seen[run, look] = True
    last = len(updates) - 1 - seen[:, ::-1].argmax(axis=1)
    ended = np.full(len(names), np.nan)
    ended[run] = rows["ended"]
    at_end = updates[last] == ended
    scheduled = seen.copy()
    scheduled[at_end, last[at_end]] = False
    shown = np.asarray(scheduled.any(axis=0))
    if at_end.any():
        shown[last[at_end].max()] = True
    (chosen,) = np.nonzero(shown)
    kept = at_end[:, None] & (chosen > last[:, None])
    picked = np.where(seen[:, chosen], chosen, np.where(kept, last[:, None], len(updates)))
    return Moments(updates[chosen], run, look, picked.T)


def need_looks_between(rows: common.Table) -> None:
    """Raise ``NotLookedAtError`` where no run was looked at but at its start and its end, or not at all."""
    looks = {(run, update) for run, update in zip(rows["run_id"], rows["update"], strict=True)}
    if max(Counter(run for run, _ in looks).values(), default=0) < 3:
        way_out = "train with probe=gradient_flow probe.gradient_flow.per_decade=3"
        raise common.NotLookedAtError(f"no run was looked at between its start and its end: {way_out}")


def solved_at(study: Any, runs: common.Table) -> dict[tuple[Any, ...], tuple[float, int, int]]:
    """Of each (panel, gap, label): the median over all its runs of the update at which they solved the task.

    Runs that have not solved it count as inf, so that it is inf where fewer than half have. And how many solved it, of
    how many.
    """
    found = study.columns(
        "select run_id, case when solved = 1 then solved_at end as solved_at from runs order by run_id"
    )
    rows = common.join_runs(found, runs)
    solved: dict[tuple[Any, ...], tuple[float, int, int]] = {}
    for key, group in common.groups(rows, "panel", "gap", "label"):
        updates = common.plain(group["solved_at"])
        count = int(np.isfinite(updates).sum())
        solved[key] = float(median(np.where(np.isnan(updates), np.inf, updates))), count, len(updates)
    return solved


def note(runs: common.Table) -> str:
    """What became of runs that do not count to the end, and over which options they are pooled, as sentences."""
    lost = common.shortfall(runs)
    return (f" Among the runs: {lost}." if lost else "") + common.pooling(runs)
