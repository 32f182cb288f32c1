"""Updates to solve as censored data: Kaplan-Meier curves with bands, the median time, the restricted mean.

S(t) is the share of runs not yet solved after update t (Kaplan & Meier 1958, Journal of the American Statistical
Association 53). ``lrd.stats.censoring`` says which run is censored where. Sections of Klein & Moeschberger (2003),
Survival Analysis, 2nd ed.: 4.2 has the estimator and Greenwood's variance, 4.3 log-log intervals, 4.5 the restricted
mean and the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats import scipy_stats
from lrd.stats.levels import check_level
from lrd.stats.proportions import share

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-12  # S is a product of fractions: 1/2 may come out a little above


@dataclass(frozen=True)
class Survival:
    """A Kaplan-Meier curve: an entry for update 0 and for each update at which a run was solved or censored [times].

    Attributes:
        updates: of the entries, in order.
        unsolved: S just after that update, from 1 to 0.
        low: the lower edge of its pointwise band.
        high: the upper edge.
        at_risk: how many runs were not yet solved or censored just before.
        solved: how many were solved then.
        censored: how many were censored then.
        count: how many runs there are.
        missing: how many were left out, their time NaN.
        level: of the band.
    """

    updates: Floats
    unsolved: Floats
    low: Floats
    high: Floats
    at_risk: Ints
    solved: Ints
    censored: Ints
    count: int
    missing: int
    level: float


@dataclass(frozen=True)
class MedianTime:
    """The updates after which half of the runs have solved their task, with the interval that the band gives.

    Attributes:
        median: the first update with S <= 1/2; inf where S stays above, NaN where there are no runs.
        low: the first update at which the band's lower edge is at most 1/2: 0 where it is so from the start, the last
            update where it never is (the median lies beyond it, as far as is known).
        high: the first update at which the band's upper edge is below 1/2; inf where it never is.
        level: of the interval.
    """

    median: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class RestrictedMean:
    """The mean updates to solve, where those beyond a horizon count as the horizon: the area under S up to there.

    Attributes:
        mean: in updates, from 0 to the horizon; NaN where there are no runs.
        error: its standard error; NaN where it is 0, as where nothing was solved.
        low: the lower bound of the normal interval, at least 0; NaN where the error is.
        high: the upper bound, at most the horizon; NaN likewise.
        horizon: in updates.
        level: of the interval.
    """

    mean: float
    error: float
    low: float
    high: float
    horizon: float
    level: float


def kaplan_meier(updates: ArrayLike, solved: ArrayLike, level: float = 0.95) -> Survival:
    """Return the Kaplan-Meier curve of runs that were solved, or else censored.

    A run censored at the same update as others are solved counts as still at risk there. The band is pointwise, not
    for the curve as a whole: exp(-exp(log(-log S) +- z s)) with s = sqrt(Greenwood's sum) / |log S|. Where S is 1 or 0
    that has no width, and Wilson's interval of the runs at risk takes its place; after S = 0 the upper bound is also
    no higher than before, since S cannot grow.

    Args:
        updates: after which each run was solved or censored [runs], at least 0; NaN is left out and counted.
        solved: whether it was solved [runs].
        level: of the band, between 0 and 1.

    Raises:
        ValueError: unequal lengths, a negative time, or a level outside of (0, 1).
    """
    times, events = np.asarray(updates, dtype=np.float64), np.asarray(solved, dtype=bool)
    if times.ndim != 1 or times.shape != events.shape:
        raise ValueError(f"one flag a run: updates of shape {times.shape}, solved of shape {events.shape}")
    check_level(level)
    there = ~np.isnan(times)
    if (times[there] < 0).any():
        raise ValueError("updates must not be negative")
    moments, place = np.unique(np.append(0.0, times[there]), return_inverse=True)
    d = np.bincount(place[1:], events[there], minlength=moments.size).astype(np.int64)
    gone = np.bincount(place[1:], minlength=moments.size)
    n = there.sum() - np.append(0, np.cumsum(gone)[:-1])
    left = n - d
    s = np.asarray(np.cumprod(np.where(n > 0, left / np.maximum(n, 1), 1.0)), dtype=np.float64)
    greenwood = np.cumsum(np.where(left > 0, d / np.maximum(n * left, 1), 0.0))
    low, high = _band(s, greenwood, n, left, level)
    return Survival(moments, s, low, high, n, d, gone - d, int(there.sum()), int((~there).sum()), level)


def _band(s: Floats, greenwood: Floats, n: Ints, left: Ints, level: float) -> tuple[Floats, Floats]:
    inside = (s > 0) & (s < 1)
    log = np.log(np.where(inside, s, 0.5))
    wide = scipy_stats.norm.ppf((1 + level) / 2) * np.sqrt(greenwood) / -log
    low, high = s ** np.exp(wide), s ** np.exp(-wide)
    for at in np.flatnonzero(~inside):
        if s[at] == 1:
            one = share(int(left[at]), int(left[at]), level)
            low[at], high[at] = one.low, one.high
        else:
            before = [high[at - 1]] if at else []
            none = share(0, int(n[at]), level).high if n[at] else inf
            low[at], high[at] = 0.0, min([none, *before])
    return low, high


def median_time(curve: Survival) -> MedianTime:
    """Return the median of a curve, with the updates at which its band holds 1/2 as interval.

    Brookmeyer & Crowley (1982), Biometrics 38. The interval is as good as the band, which is made for many runs: where
    5 to 20 runs solve their task at two moments, or at one and never, 6.3 % are missed at 95 % and 2 % at 99 %.
    Verdicts take order statistics instead (``lrd.findings.times``).
    """
    if not curve.count:
        return MedianTime(nan, nan, nan, curve.level)

    def first(reached: NDArray[np.bool_], otherwise: float) -> float:
        return float(curve.updates[reached.argmax()]) if reached.any() else otherwise

    half = 0.5 + _ROUNDING
    low = first(curve.low <= half, float(curve.updates[-1]))
    return MedianTime(first(curve.unsolved <= half, inf), low, first(curve.high < 0.5 - _ROUNDING, inf), curve.level)


def restricted_mean(curve: Survival, horizon: float | None = None) -> RestrictedMean:
    """Return the mean updates to solve, restricted to a horizon. Means compare only at one and the same horizon.

    The error is that of Klein & Moeschberger (2003), eq. 4.5.2: the root of the sum over solved times t_i <= horizon of
    A_i^2 d_i / (n_i (n_i - d_i)), with A_i the area under S from t_i to the horizon, d_i runs solved at t_i and n_i at
    risk.

    Args:
        curve: of the runs.
        horizon: in updates. Default: the last update that any run did.

    Raises:
        ValueError: the horizon lies beyond the last update while S is not 0: nothing is known of it there.
    """
    end = float(curve.updates[-1]) if horizon is None else horizon
    if not curve.count:
        return RestrictedMean(nan, nan, nan, nan, end, curve.level)
    if end > curve.updates[-1] and curve.unsolved[-1] > 0:
        raise ValueError(f"no run was watched up to {end:g}: the last one, up to {curve.updates[-1]:g}")
    widths = np.diff(np.append(np.minimum(curve.updates, end), end))
    beyond = np.cumsum((widths * curve.unsolved)[::-1])[::-1]
    left = curve.at_risk - curve.solved
    counts = (curve.updates <= end) & (left > 0)
    terms = np.where(counts, beyond**2 * curve.solved / np.maximum(curve.at_risk * left, 1), 0.0)
    mean, error = float(beyond[0]), sqrt(float(terms.sum())) or nan
    reach = float(scipy_stats.norm.ppf((1 + curve.level) / 2)) * error
    low, high = (nan, nan) if error != error else (max(mean - reach, 0.0), min(mean + reach, end))
    return RestrictedMean(mean, error, low, high, end, curve.level)
