"""Two cells over the same seeds, by a number: does one beat the other seed by seed, and how clearly?

Numbers such as updates to solve, with inf for a run that never did (``worst_of``): ranks need no more than an order,
so a run that was not solved is simply worse than any that was, and ties with another one. That counts failed and
unfinished runs as not solved, as shares do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

Floats = NDArray[np.float64]

LARGEST_EXACT = 200  # pairs; beyond, the normal approximation is exact to the digits that anybody reads


@dataclass(frozen=True)
class Paired:
    """What two columns over the same seeds say of each other.

    ``greater``, ``less``, ``equal``: seeds of which the first value is greater, less, the same. ``p_sign``: exact sign
    test; ``p_rank``: Wilcoxon's signed-rank test; both two-sided, of the seeds that differ, and 1 where none does.
    ``effect``: matched-pairs rank-biserial correlation (Kerby 2014), from -1 (the first is less for every seed that
    differs) to 1; 0 where none does. NaN all where there are no pairs. ``missing``: pairs with a NaN, left out.
    """

    greater: int
    less: int
    equal: int
    p_sign: float
    p_rank: float
    effect: float
    missing: int


def worst_of(updates: ArrayLike, solved: ArrayLike) -> Floats:
    """Updates to solve with inf for the runs that were not solved; NaN stays NaN."""
    times = np.asarray(updates, dtype=np.float64)
    return np.where(np.asarray(solved, dtype=bool) | np.isnan(times), times, inf)


def paired(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compare two columns [seeds], in the same order of seeds.

    Differences between a number and inf are the largest, and all of one rank. Seeds without difference are left out
    of both tests, as Wilcoxon (1945) does, and counted. P of the ranks is exact, given the ties, up to
    ``LARGEST_EXACT`` seeds: of all 2^n ways to give ranks their signs, those at least as far from balance.

    Raises:
        ValueError: unequal lengths.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one value of each a seed: shapes {one.shape} and {other.shape}")
    there = ~(np.isnan(one) | np.isnan(other))
    one, other = one[there], other[there]
    missing = int((~there).sum())
    if not one.size:
        return Paired(0, 0, 0, nan, nan, nan, missing)
    differ = one != other  # before subtracting: inf - inf is no number
    change = one[differ] - other[differ]
    greater, less = int((change > 0).sum()), int((change < 0).sum())
    if not change.size:
        return Paired(0, 0, one.size, 1.0, 1.0, 0.0, missing)
    ranks = rankdata(np.abs(change))
    up = float(ranks[change > 0].sum())
    effect = 2 * up / float(ranks.sum()) - 1
    p_sign = float(binomtest(greater, greater + less).pvalue)
    return Paired(greater, less, int((~differ).sum()), p_sign, _rank_p(ranks, up), effect, missing)


def _rank_p(ranks: Floats, up: float) -> float:
    """Two-sided p of the sum of the positive ranks."""
    if ranks.size > LARGEST_EXACT:
        return min(1.0, 2 * float(norm.sf(abs(up - ranks.sum() / 2) / np.sqrt((ranks**2).sum() / 4))))
    doubled = np.rint(2 * ranks).astype(np.int64)  # ranks of ties are halves
    total = int(doubled.sum())
    chance = np.zeros(total + 1)  # of each doubled sum
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = 0.5 * (chance[rank:] + chance[:-rank])
        chance[:rank] *= 0.5
    far = np.abs(2 * np.arange(total + 1) - total) >= abs(2 * round(2 * up) - total)
    return min(1.0, float(chance[far].sum()))
