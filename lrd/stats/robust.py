"""Slope of log10 gradient norm against t by a fit that a few outlying steps cannot turn, beside least squares.

Theil-Sen: the median of the slopes of all pairs of steps, with Sen's interval (Sen 1968, JASA 63), which inverts
Kendall's test; up to 29 % of the steps may lie anywhere. The interval is exact up to ``LARGEST_EXACT`` pairs, and
covers more than its level where norms are tied. ``lrd.gradients`` fits the least-squares line of records: where the
two differ, the profile is no line.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from lrd.stats.spread import median

LARGEST_EXACT = 2500  # pairs; beyond, a normal approximation, there within one rank of the exact count
_ROUNDING = 1e-12


@dataclass(frozen=True)
class RobustSlope:
    """Slopes [log10 units a step of t]: Theil-Sen's with its interval, and that of least squares over the same steps.

    ``count``: steps that were fitted; ``missing``: steps left out, NaN or without a logarithm (a norm of exactly 0).
    """

    slope: float
    low: float
    high: float
    least_squares: float
    count: int
    missing: int
    level: float


def robust_slope(t: ArrayLike, log10_norm: ArrayLike, level: float = 0.95) -> RobustSlope:
    """Theil-Sen's slope of ``log10_norm`` [steps] against ``t`` [steps].

    Here -inf is left out, and counted: no line goes through it, nor does that of the records. The interval takes
    the steps to scatter about the line independently of each other. Norms along one sequence do not: their log is a
    random walk, of which this interval covers little. For a statement about a cell, take the slopes of its seeds and
    ``median_interval``; this one tells how well a line describes one profile. Its bounds are NaN where no interval of
    so few steps has the level: 2 of the n! orders are the most extreme, so at 95 % from 5 steps on; where several
    share a t (seeds at a gap), their order among themselves tells nothing, and more of them are needed.

    Raises:
        ValueError: unequal lengths, or a level outside of (0, 1).
    """
    x, y = np.asarray(t, dtype=np.float64), np.asarray(log10_norm, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"one norm a step: t of shape {x.shape}, norms of shape {y.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, not {level}")
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    missing = int((~there).sum())
    if np.unique(x).size < 2:
        return RobustSlope(nan, nan, nan, nan, x.size, missing, level)
    centred = x - x.mean()
    line = float(centred @ y / (centred @ centred))
    earlier, later = np.nonzero(x[:, None] < x[None, :])
    slopes = np.sort((y[later] - y[earlier]) / (x[later] - x[earlier]))
    k = _left_out(np.unique(x, return_counts=True)[1].tolist(), slopes.size, 1 - level)
    low, high = (float(slopes[k - 1]), float(slopes[-k])) if k else (nan, nan)
    return RobustSlope(float(median(slopes)), low, high, line, x.size, missing, level)


def _left_out(alike: list[int], pairs: int, error: float) -> int:
    """The largest k with 2 P(D < k) <= error, where D of the ``pairs`` of steps are in the wrong order by chance.

    The interval runs from the k-th least slope to the k-th largest. ``alike``: how many steps share each t.
    """
    n = sum(alike)
    if pairs > LARGEST_EXACT:
        spread = sqrt((n * (n - 1) * (2 * n + 5) - sum(c * (c - 1) * (2 * c + 5) for c in alike)) / 18)
        return max(int((pairs + float(norm.ppf(error / 2)) * spread) / 2), 0)
    ways = _ways(alike, pairs)
    total, below, k = sum(ways), 0, 0
    for count in ways:
        below += count
        if 2 * below > error * total * (1 + _ROUNDING):
            break
        k += 1
    return k


def _ways(alike: list[int], pairs: int) -> list[int]:
    """How many of the orders of all norms have D = 0, 1, ..., pairs, those among steps of one t not told apart.

    The coefficients of the Gaussian multinomial: the product of 1 - q^i over all steps i = 1..n, over that of each t.
    """
    ways = [1] + [0] * pairs
    done = 0
    for count in alike:
        for i in range(1, count + 1):
            done += 1
            for d in range(pairs, done - 1, -1):
                ways[d] -= ways[d - done]
            for d in range(i, pairs + 1):
                ways[d] += ways[d - i]
    return ways
