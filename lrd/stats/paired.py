"""Two cells compared seed by seed, by a number: how often one is ahead of the other, and how clearly.

The number may be updates to solve, with inf for a run that never did (``worst_of``). Ranks need an order only: a run
that was not solved is worse than any that was, and ties with another one that was not. Failed and unfinished runs count
as not solved, as they do for shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats import scipy_stats

Floats = NDArray[np.float64]

LARGEST_EXACT = 200  # pairs; beyond, the normal approximation is exact to the digits that anybody reads


@dataclass(frozen=True)
class Paired:
    """Two columns over the same seeds, compared. Where there are no pairs, p values and effect are NaN.

    Attributes:
        greater: for how many seeds the first value is greater.
        less: for how many it is less.
        equal: for how many both are the same.
        p_sign: of the exact sign test, two-sided, over the seeds that differ; 1 where none does.
        p_rank: of Wilcoxon's signed-rank test, likewise.
        effect: matched-pairs rank-biserial correlation (Kerby 2014, Comprehensive Psychology 3), from -1 (the first is
            less for every seed that differs) to 1 (greater for every one); 0 where none differs.
        missing: how many pairs have a NaN, and were left out.
    """

    greater: int
    less: int
    equal: int
    p_sign: float
    p_rank: float
    effect: float
    missing: int


def worst_of(updates: ArrayLike, solved: ArrayLike) -> Floats:
    """Return the updates to solve [runs], inf for runs that were not solved.

    Args:
        updates: that each run did until it was solved, or in all [runs]; NaN stays NaN.
        solved: whether it was solved [runs].
    """
    times = np.asarray(updates, dtype=np.float64)
    return np.where(np.asarray(solved, dtype=bool) | np.isnan(times), times, inf)


def paired(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compare two columns seed by seed.

    Differences between a number and inf are the largest, and all of one rank. Seeds without difference are left out
    of both tests, as by Wilcoxon (1945), Biometrics Bulletin 1, and counted. The p value of the ranks is exact, given
    the ties, up to ``LARGEST_EXACT`` seeds: of all 2^n ways to give the ranks signs, those at least as far from
    balance.

    Args:
        first: a number of each seed [seeds], NaN where it is not known.
        second: the other number, in the same order of seeds.

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
    ranks = scipy_stats.rankdata(np.abs(change))
    up = float(ranks[change > 0].sum())
    effect = 2 * up / float(ranks.sum()) - 1
    p_sign = float(scipy_stats.binomtest(greater, greater + less).pvalue)
    return Paired(greater, less, int((~differ).sum()), p_sign, _rank_p(ranks, up), effect, missing)


def _rank_p(ranks: Floats, up: float) -> float:
    """Return the two-sided p value of the sum of the positive ranks, ``up``."""
    if ranks.size > LARGEST_EXACT:
        return min(1.0, 2 * float(scipy_stats.norm.sf(abs(up - ranks.sum() / 2) / np.sqrt((ranks**2).sum() / 4))))
    doubled = np.rint(2 * ranks).astype(np.int64)  # ranks of ties are halves
    total = int(doubled.sum())
    chance = np.zeros(total + 1)  # of each doubled sum
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = 0.5 * (chance[rank:] + chance[:-rank])
        chance[:rank] *= 0.5
    far = np.abs(2 * np.arange(total + 1) - total) >= abs(2 * round(2 * up) - total)
    return min(1.0, float(chance[far].sum()))
