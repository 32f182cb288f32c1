"""Slope of log10 gradient norm against t by a fit that a few outlying steps cannot turn, beside least squares.

Theil-Sen: the median of the slopes of all pairs of steps, with the interval that inverts Kendall's test (Sen 1968,
Journal of the American Statistical Association 63). Up to 29 % of the steps may lie anywhere. The interval is exact up
to ``lrd.stats.inversions.LARGEST_EXACT`` pairs, and covers more than its level where norms are tied. The records hold
the least-squares line: where the two slopes differ, the profile is no line.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from lrd.stats.inversions import interval_rank
from lrd.stats.levels import check_level
from lrd.stats.spread import median


@dataclass(frozen=True)
class RobustSlope:
    """Two slopes of one profile [log10 units a step of t], NaN where fewer than two different t have a norm.

    Attributes:
        slope: Theil-Sen's.
        low: its lower bound; NaN where no interval of so few steps has the level.
        high: its upper bound, NaN likewise.
        least_squares: the slope of the least-squares line through the same steps.
        count: how many steps were fitted.
        missing: how many steps were left out: NaN, or without a logarithm (a norm of exactly 0).
        level: of the interval.
    """

    slope: float
    low: float
    high: float
    least_squares: float
    count: int
    missing: int
    level: float


def robust_slope(t: ArrayLike, log10_norm: ArrayLike, level: float = 0.95) -> RobustSlope:
    """Return Theil-Sen's slope of a profile of gradient norms.

    The interval takes the steps to scatter about the line independently of each other. Norms along one sequence do not:
    their log is a random walk, of which this interval covers little. It says how well a line describes one profile; for
    a statement about a cell, take the slopes of its seeds and ``median_interval``.

    Two of the n! orders of n norms are the most extreme, so there is an interval at 95 % from 5 steps on; more are
    needed where several steps share a t (seeds at a gap), whose order among themselves says nothing.

    Args:
        t: time steps [steps].
        log10_norm: log10 of the norm at each [steps]. NaN, and unlike elsewhere in ``lrd.stats`` also -inf, is left
            out and counted: no line goes through it.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: unequal lengths, or a level outside of (0, 1).
    """
    x, y = np.asarray(t, dtype=np.float64), np.asarray(log10_norm, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"one norm a step: t of shape {x.shape}, norms of shape {y.shape}")
    check_level(level)
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    missing = int((~there).sum())
    if np.unique(x).size < 2:
        return RobustSlope(nan, nan, nan, nan, x.size, missing, level)
    centred = x - x.mean()
    line = float(centred @ y / (centred @ centred))
    earlier, later = np.nonzero(x[:, None] < x[None, :])
    slopes = np.sort((y[later] - y[earlier]) / (x[later] - x[earlier]))
    k = interval_rank(np.unique(x, return_counts=True)[1].tolist(), 1 - level)
    low, high = (float(slopes[k - 1]), float(slopes[-k])) if k else (nan, nan)
    return RobustSlope(float(median(slopes)), low, high, line, x.size, missing, level)
