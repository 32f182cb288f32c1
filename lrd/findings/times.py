"""How soon runs solve their task: means, medians and rates of the updates to solve, as censored data.

``lrd.stats.censoring`` says which run is censored where. A study has a handful of runs, for which Greenwood's errors
and the intervals of Kaplan-Meier curves are too narrow. So the error of a mean is widened by sqrt(n / (n - 1)), as that
of a sample's mean is, with Student's interval; and a median has the interval of order statistics, in which a run that
was not solved solves its task at any time beyond the updates that it did, or never.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from lrd.findings.estimate import Estimate, no_interval, runs
from lrd.findings.groups import Floats, Group, Pairs
from lrd.findings.medians_and_means import median_between
from lrd.stats import (
    Mean,
    Times,
    kaplan_meier,
    mean_interval,
    median_time,
    rate_ratio,
    restricted_mean,
    student,
    times_to_solve,
    welch,
)


@dataclass(frozen=True)
class _Timed:
    """The times of a group, and the updates that each of its runs was given at least."""

    times: Times
    horizon: float

    @property
    def count(self) -> str:
        return f"{int(self.times.solved.sum())} of {runs(self.times.solved.size)} solved"

    def restricted(self, horizon: float) -> Floats:
        """Return the updates to solve, at most the horizon; NaN where a run has not come so far."""
        known = self.times.solved | (self.times.updates >= horizon)
        return np.where(known, np.minimum(self.times.updates, horizon), np.nan)

    def mean(self, horizon: float, level: float) -> Mean:
        curve = kaplan_meier(self.times.updates, self.times.solved, level)
        found, n = restricted_mean(curve, horizon), curve.count
        error = found.error * sqrt(n / (n - 1)) if n > 1 else np.nan
        return student(found.mean, error, n - 1, n, 0, level)


def mean_updates(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the mean updates to solve, or the difference of two, restricted to the updates that all runs were given.

    Updates beyond that horizon count as the horizon (``lrd.stats.restricted_mean``). Two groups: the mean difference
    of pairs where all of their runs are known up to the horizon, else Welch's.
    """
    one, other = _timed(first), None if second is None else _timed(second)
    horizon = one.horizon if other is None else min(one.horizon, other.horizon)
    counts = one.count if other is None else f"{one.count} and {other.count}"
    of = f"{'mean' if other is None else 'difference of means'} within {horizon:g} updates, {counts}"
    try:
        if other is None:
            found = one.mean(horizon, level)
        else:
            found = welch(one.mean(horizon, level), other.mean(horizon, level))
            if pairs:
                apart = one.restricted(horizon)[pairs[0]] - other.restricted(horizon)[pairs[1]]
                if not np.isnan(apart).any():
                    found = mean_interval(apart, level)
    except ValueError:  # beyond the last update of a sweep that goes on
        return no_interval(f"no run was watched up to {horizon:g} updates yet", of=of)
    why = "" if found.error == found.error else "no spread: too few runs, or none was solved, or all at once"
    return Estimate(found.mean, found.low, found.high, of, why)


def median_updates(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the updates after which half of the runs have solved it (Kaplan-Meier); inf where half never do."""
    timed = _timed(first)
    times = timed.times
    at_most = np.where(times.solved, times.updates, np.inf)
    found = median_between(times.updates, at_most, f"median, {timed.count}", "runs", level)
    return replace(found, estimate=median_time(kaplan_meier(times.updates, times.solved, level)).median)


def solving_rate(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the hazard ratio of the first group over the second (``lrd.stats.rate_ratio``)."""
    assert second is not None  # no hypothesis of this measure is read without
    one, other = _timed(first), _timed(second)
    found = rate_ratio(one.times.updates, one.times.solved, other.times.updates, other.times.solved, level)
    of = f"ratio of rates, {one.count} and {other.count}"
    why = "" if found.ratio == found.ratio else "nothing was solved while both groups had runs left"
    more = "" if why else f", log-rank p = {found.p:.2g}"
    return Estimate(found.ratio, found.low, found.high, of + more, why)


def _timed(group: Group) -> _Timed:
    given = group.max_updates[~np.isnan(group.max_updates)]
    times = times_to_solve(group.state, group.outcome, group.update, group.solved_at, group.max_updates)
    return _Timed(times, float(given.min(initial=np.inf)) if given.size else 0.0)
