"""Runs through training: measured, and ended, at different updates, and set side by side.

Measurements are log-spaced, at the same updates for all runs, and each run has one more at its end. A run that ended,
because it solved the task, counts with its last measurement from there on, as in the learning curves: or the runs that
still struggle would be all that is left of a median. One that failed, or has not ended, counts as far as it was
measured.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.figures.captions import pooling, shortfall
from lrd.figures.errors import NotMeasuredError
from lrd.figures.tables import Array, Table, groups, join_runs, plain
from lrd.stats import median


@dataclass(frozen=True)
class Moments:
    """The updates at which a group of runs is shown, and which measurement of each run counts there.

    Attributes:
        updates: [moments] in ascending order.
        run: [rows] the place of each row's run.
        measurement: [rows] the place of each row's update among all updates of the group.
        picked: [moments, runs] the place of the update whose measurement counts; one past the last where none does.
    """

    updates: NDArray[np.int64]
    run: NDArray[np.int64]
    measurement: NDArray[np.int64]
    picked: NDArray[np.int64]

    def laid_out(self, values: Array, place: Array | None = None) -> NDArray[np.float64]:
        """Return a column of the rows by moment and run.

        Args:
            values: [rows] the column.
            place: [rows] where each row stands in its measurement, such as its step; None where a run has one row a
                measurement.

        Returns:
            [moments, runs] or, with ``place``, [moments, runs, places]; NaN where nothing counts.
        """
        measurements = int(self.measurement.max()) + 2
        runs = self.picked.shape[1]
        further = () if place is None else (int(place.max()) + 1,)
        table = np.full((runs, measurements, *further), np.nan)
        at = (self.run, self.measurement) if place is None else (self.run, self.measurement, place)
        table[at] = plain(values)
        return table[np.arange(runs), self.picked]


def moments_of(rows: Table) -> Moments:
    """Return the moments of a group of rows: every scheduled measurement, and the end of the run that ended last.

    Args:
        rows: A table with run_id, update and ended (the update at which a finished run ended, NaN for the others).
    """
    names, run = np.unique(rows["run_id"].astype(str), return_inverse=True)
    updates, measurement = np.unique(rows["update"], return_inverse=True)
    seen = np.zeros((len(names), len(updates)), dtype=bool)
    seen[run, measurement] = True
    last = len(updates) - 1 - seen[:, ::-1].argmax(axis=1)
    ended = np.full(len(names), np.nan)
    ended[run] = rows["ended"]
    at_end = updates[last] == ended
    # The end of a run is no scheduled measurement; that of the run that ended last is shown nevertheless.
    scheduled = seen.copy()
    scheduled[at_end, last[at_end]] = False
    shown = np.asarray(scheduled.any(axis=0))
    if at_end.any():
        shown[last[at_end].max()] = True
    (chosen,) = np.nonzero(shown)
    # A run counts with its own measurement, after its end with its last one, and else not at all.
    kept = at_end[:, None] & (chosen > last[:, None])
    picked = np.where(seen[:, chosen], chosen, np.where(kept, last[:, None], len(updates)))
    return Moments(updates[chosen], run, measurement, picked.T)


def need_measurements_between(rows: Table) -> None:
    """Raise ``NotMeasuredError`` if no run was measured between its start and its end."""
    measurements = {(run, update) for run, update in zip(rows["run_id"], rows["update"], strict=True)}
    if max(Counter(run for run, _ in measurements).values(), default=0) < 3:
        way_out = "train with probe=gradient_flow probe.gradient_flow.per_decade=3"
        raise NotMeasuredError(f"no run was measured between its start and its end: {way_out}")


def solved_at(study: Any, runs: Table) -> dict[tuple[Any, ...], tuple[float, int, int]]:
    """Return when runs solved their task, for each (panel, gap, label), of whole networks.

    Returns:
        The median over all runs of the update at which they solved the task, inf where fewer than half have; how many
        have; and how many runs there are.
    """
    found = study.columns(
        "select run_id, case when solved = 1 then solved_at end as solved_at from runs order by run_id"
    )
    rows = join_runs(found, runs)
    solved: dict[tuple[Any, ...], tuple[float, int, int]] = {}
    for key, group in groups(rows, "panel", "gap", "label"):
        updates = plain(group["solved_at"])
        count = int(np.isfinite(updates).sum())
        solved[key] = float(median(np.where(np.isnan(updates), np.inf, updates))), count, len(updates)
    return solved


def note(runs: Table) -> str:
    """Return what became of runs that do not count to the end, and over what runs are pooled, as sentences."""
    lost = shortfall(runs)
    return (f" Among the runs: {lost}." if lost else "") + pooling(runs)
