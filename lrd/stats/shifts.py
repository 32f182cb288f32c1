"""By how much the numbers of one group of runs lie above those of another: Hodges and Lehmann's shift.

The median of all differences between a run of the first group and one of the second, with the interval that inverts
the Mann-Whitney test (Hodges & Lehmann 1963, Annals of Mathematical Statistics 34; Moses' interval: Hollander, Wolfe &
Chicken 2014, Nonparametric Statistical Methods, sec. 4.3): exact whatever the distribution, as long as it is the same
in both groups but for a shift. With ties it covers more than its level.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from lrd.stats.spread import median

Floats = NDArray[np.float64]

LARGEST_EXACT = 2500  # pairs; beyond, the normal approximation is exact to the digits that anybody reads


@dataclass(frozen=True)
class Shift:
    """The ``shift`` of so many values of the ``first`` group above the ``second``, with its interval.

    ``attainable``: the most confidence that so few values can give; where that is below the level the bounds are NaN.
    ``missing``: NaN, left out.
    """

    shift: float
    low: float
    high: float
    first: int
    second: int
    missing: int
    level: float
    attainable: float


def shift(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Shift:
    """First minus second, of independent groups [runs] each. Two infinities of one sign do not differ.

    Raises:
        ValueError: a level outside of (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, not {level}")
    one, other = (np.asarray(values, dtype=np.float64).ravel() for values in (first, second))
    x, y = one[~np.isnan(one)], other[~np.isnan(other)]
    missing = one.size + other.size - x.size - y.size
    if not (x.size and y.size):
        return Shift(nan, nan, nan, x.size, y.size, missing, level, 0.0)
    every = np.sort(differences(x[:, None], y[None, :]).ravel())
    attainable = 1 - 2 / comb(x.size + y.size, x.size)
    k = _left_out(x.size, y.size, 1 - level)
    low, high = (float(every[k - 1]), float(every[-k])) if k else (nan, nan)
    return Shift(float(median(every)), low, high, x.size, y.size, missing, level, attainable)


def differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """First minus second, 0 where both are the same infinity."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf, not taken
        return np.where(one == other, 0.0, one - other)


def _left_out(m: int, n: int, error: float) -> int:
    """The largest k with 2 P(U < k) <= error: the interval runs from the k-th least difference to the k-th largest."""
    if m * n > LARGEST_EXACT:
        return max(int(m * n / 2 + float(norm.ppf(error / 2)) * sqrt(m * n * (m + n + 1) / 12)), 0)
    total, below, k = comb(m + n, m), 0, 0
    for ways in _ways(m, n):
        below += ways
        if 2 * below > error * total:
            break
        k += 1
    return k


def _ways(m: int, n: int) -> list[int]:
    """How many of the orders of m and n values have U = 0, 1, ..., mn: coefficients of the Gaussian binomial."""
    ways = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            ways[u] -= ways[u - n - i]
        for u in range(i, m * n + 1):
            ways[u] += ways[u - i]
    return ways
