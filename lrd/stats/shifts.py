"""By how much the numbers of one group of runs lie above those of another: Hodges and Lehmann's shift.

The median of all differences between a run of the first group and one of the second (Hodges & Lehmann 1963, Annals of
Mathematical Statistics 34), with the interval that inverts the Mann-Whitney test (Moses' interval: Hollander, Wolfe &
Chicken 2014, Nonparametric Statistical Methods, sec. 4.3). It is exact for any distribution that is the same in both
groups but for a shift; with ties it covers more than its level.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats.inversions import interval_rank
from lrd.stats.levels import check_level
from lrd.stats.spread import median

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """The shift of a first group of runs above a second one, with its interval.

    Attributes:
        shift: the median difference; NaN where a group has no known number.
        low: the lower bound; NaN where the groups are too small for the level.
        high: the upper bound, NaN likewise.
        first: how many known numbers the first group has.
        second: how many the second has.
        missing: how many numbers were NaN, and left out.
        level: of the interval.
        attainable: the highest level at which groups of these sizes have an interval, 0 where one has no number.
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
    """Return how far a first group lies above a second, independent one.

    Args:
        first: a number of each run [runs]; infinities have their place in the order, and two of one sign do not differ.
        second: that number for each run of the second group [runs].
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: the level does not lie between 0 and 1.
    """
    check_level(level)
    one, other = (np.asarray(values, dtype=np.float64).ravel() for values in (first, second))
    x, y = one[~np.isnan(one)], other[~np.isnan(other)]
    missing = one.size + other.size - x.size - y.size
    if not (x.size and y.size):
        return Shift(nan, nan, nan, x.size, y.size, missing, level, 0.0)
    every = np.sort(differences(x[:, None], y[None, :]).ravel())
    attainable = 1 - 2 / comb(x.size + y.size, x.size)
    k = interval_rank([x.size, y.size], 1 - level)
    low, high = (float(every[k - 1]), float(every[-k])) if k else (nan, nan)
    return Shift(float(median(every)), low, high, x.size, y.size, missing, level, attainable)


def differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """Return first minus second, 0 where both are the same infinity; NaN where either is NaN."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf, not taken
        return np.where(one == other, 0.0, one - other)
