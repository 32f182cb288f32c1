"""Means over runs with Student's t interval (Student 1908, Biometrika 6), for a handful of seeds.

The distribution-free interval of a median (``lrd.stats.spread``) needs 6 seeds at 95 % and 9 at 99.5 %. Student's needs
2, and assumes that the numbers scatter about their mean roughly normally. Log norms, slopes and exponents mostly do;
losses of which some fell and others did not, do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from lrd.stats import scipy_stats
from lrd.stats.levels import check_level

_ROUNDING = 1e-12  # the spread that it may leave among equal values, relative to them


@dataclass(frozen=True)
class Mean:
    """A mean, or a difference of two means, with Student's interval.

    Error, freedom and bounds are NaN where there are fewer than two values, an infinite one, or no two that differ: a
    spread of 0 among few runs does not say that all runs are alike.

    Attributes:
        mean: the mean or difference; NaN where no value is known.
        error: its standard error.
        low: the lower bound.
        high: the upper bound.
        freedom: degrees of freedom of Student's distribution.
        count: how many values are known, of both groups for a difference.
        missing: how many were NaN, and left out.
        level: of the interval.
    """

    mean: float
    error: float
    low: float
    high: float
    freedom: float
    count: int
    missing: int
    level: float


def mean_interval(values: ArrayLike, level: float = 0.95) -> Mean:
    """Return the mean of numbers with Student's interval: mean +- t s / sqrt(n), of n - 1 degrees of freedom.

    Args:
        values: a number of each run [runs]; NaN is left out and counted.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: a level outside of (0, 1).
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    known = flat[~np.isnan(flat)]
    n, missing = known.size, int(flat.size - known.size)
    if n < 2 or not np.isfinite(known).all():
        with np.errstate(invalid="ignore"):  # of both infinities
            return student(float(known.mean()) if n else nan, nan, nan, n, missing, level)
    spread = float(known.std(ddof=1))
    error = spread / sqrt(n) if spread > _ROUNDING * float(np.abs(known).max()) else nan
    return student(float(known.mean()), error, n - 1, n, missing, level)


def welch(first: Mean, second: Mean) -> Mean:
    """Return the first minus the second mean of independent groups, whose spreads may differ.

    Welch (1947), Biometrika 34, with Satterthwaite's degrees of freedom. Bounds are NaN where either mean has no error.

    Args:
        first: the mean of one group; its level is that of the difference.
        second: the mean of the other.
    """
    a, b = first.error**2, second.error**2
    freedom = (a + b) ** 2 / (a**2 / first.freedom + b**2 / second.freedom) if a + b > 0 else nan
    count, missing = first.count + second.count, first.missing + second.missing
    return student(first.mean - second.mean, sqrt(a + b), freedom, count, missing, first.level)


def student(mean: float, error: float, freedom: float, count: int, missing: int, level: float) -> Mean:
    """Return Student's interval about a mean whose error is known.

    Args:
        mean: the estimate.
        error: its standard error. Where it is not finite and positive, there is no interval: NaN.
        freedom: degrees of freedom of the error.
        count: how many values the mean is of.
        missing: how many were left out.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: a level outside of (0, 1).
    """
    check_level(level)
    if not (isfinite(error) and error > 0 and freedom > 0):
        return Mean(mean, nan, nan, nan, nan, count, missing, level)
    reach = float(scipy_stats.t.ppf((1 + level) / 2, freedom)) * error
    return Mean(mean, error, mean - reach, mean + reach, freedom, count, missing, level)
