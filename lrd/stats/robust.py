"""Slope of log10 gradient norm against t by a fit that a few outlying steps cannot turn, beside least squares.

Theil-Sen: the median of the slopes of all pairs of steps, with Sen's interval (Sen 1968, JASA 63); up to 29 % of the
steps may lie anywhere. ``lrd.probes`` fits the least-squares line of the records: where the two differ, the profile is
no line.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, nan, prod

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import theilslopes


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

    Here -inf is left out, and counted: no line goes through it, nor does that of ``lrd.probes``. The interval takes
    the steps to scatter about the line independently of each other. Norms along one sequence do not: their log is a
    random walk, of which this interval covers little. For a claim about a cell, take the slopes of its seeds and
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
    found = theilslopes(y, x, alpha=level)
    centred = x - x.mean()
    line = float(centred @ y / (centred @ centred))
    alike = prod(factorial(int(count)) for count in np.unique(x, return_counts=True)[1])
    enough = 1 - 2 * alike / factorial(x.size) >= level
    low, high = (float(found.low_slope), float(found.high_slope)) if enough else (nan, nan)
    return RobustSlope(float(found.slope), low, high, line, x.size, missing, level)
