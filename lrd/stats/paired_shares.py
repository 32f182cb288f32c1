"""Two cells over the same seeds, by whether they solved: McNemar's test and the difference of the shares.

Seeds that both solve, or neither, say nothing of which cell is better: the exact test (McNemar 1947) asks whether those
that only one of them solves are split evenly. The interval is method 10 of Newcombe (1998), "Improved confidence
intervals for the difference between binomial proportions based on paired data", Statistics in Medicine 17: Wilson's
bounds of both shares, squared and added with their correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from lrd.stats.proportions import share


@dataclass(frozen=True)
class PairedShares:
    """``both``, only the ``first``, only the ``second`` or ``neither`` solved it: numbers of seeds.

    ``difference`` of the shares, first minus second, between ``low`` and ``high``; ``p``: exact and two-sided, 1 where
    no seed tells the two apart. NaN all where there are no pairs. ``missing``: pairs with a NaN, left out.
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
    """Compare who solved it, 1 or 0 [seeds], in the same order of seeds; NaN is not known.

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
    p = float(binomtest(b, b + c).pvalue) if b + c else 1.0
    return PairedShares(a, b, c, d, (b - c) / x.size, *_newcombe(a, b, c, d, level), p, missing, level)


def _newcombe(a: int, b: int, c: int, d: int, level: float) -> tuple[float, float]:
    """Bounds of (b - c) / n."""
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
