"""Two cells compared seed by seed, by whether they solved their task: McNemar's test and the difference of the shares.

Seeds that both cells solve, or neither, do not say which is better: the exact test (McNemar 1947, Psychometrika 12)
asks whether the seeds that only one of them solves are split evenly. The interval is method 10 of Newcombe (1998),
"Improved confidence intervals for the difference between binomial proportions based on paired data", Statistics in
Medicine 17, p. 2635: the distances of Wilson's bounds from both shares, squared and added with the correlation of the
pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from lrd.stats import scipy_stats
from lrd.stats.proportions import share


@dataclass(frozen=True)
class PairedShares:
    """Pairs counted by who solved, and the difference of the shares; NaN where there are no pairs.

    Attributes:
        both: how many seeds both cells solved.
        first: how many the first alone solved.
        second: how many the second alone solved.
        neither: how many neither solved.
        difference: the first share minus the second, from -1 to 1.
        low: its lower bound.
        high: its upper bound.
        p: of McNemar's exact test, two-sided; 1 where no seed was solved by one cell alone.
        missing: how many pairs have a NaN, and were left out.
        level: of the interval.
    """

    both: int
    first: int
    second: int
    neither: int
    difference: float
    low: float
    high: float
    p: float
    missing: int
    level: float


def paired_shares(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedShares:
    """Compare which of two cells solved their task, seed by seed.

    Args:
        first: 1 where the first cell solved it, 0 where not, NaN where that is not known [seeds].
        second: whether the second cell solved it, in the same order of seeds.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: unequal lengths, or a level outside of (0, 1).
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one flag of each a seed: shapes {one.shape} and {other.shape}")
    there = ~(np.isnan(one) | np.isnan(other))
    x, y = one[there] != 0, other[there] != 0
    a, b, c, d = (int(np.sum(cells)) for cells in (x & y, x & ~y, ~x & y, ~x & ~y))
    missing = int((~there).sum())
    if not x.size:
        return PairedShares(0, 0, 0, 0, nan, nan, nan, nan, missing, level)
    p = float(scipy_stats.binomtest(b, b + c).pvalue) if b + c else 1.0
    return PairedShares(a, b, c, d, (b - c) / x.size, *_newcombe(a, b, c, d, level), p, missing, level)


def _newcombe(a: int, b: int, c: int, d: int, level: float) -> tuple[float, float]:
    """Return the bounds of (b - c) / n, of a + b + c + d = n pairs."""
    n = a + b + c + d
    one, other = share(a + b, n, level), share(a + c, n, level)
    excess: float = a * d - b * c
    if excess > 0:  # continuity correction: never through 0
        excess = max(excess - n / 2, 0.0)
    product = (a + b) * (c + d) * (a + c) * (b + d)
    phi = excess / sqrt(product) if product else 0.0

    def reach(x: float, y: float) -> float:
        return sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0))

    difference = (b - c) / n
    low = difference - reach(one.share - one.low, other.high - other.share)
    high = difference + reach(one.high - one.share, other.share - other.low)
    return max(low, -1.0), min(high, 1.0)  # beyond by rounding alone
