"""How many pairs of values stand in the wrong order by chance: the law behind Kendall's and Mann and Whitney's tests.

Values fall into classes, of one t each for Kendall's test of a slope (Sen 1968, Journal of the American Statistical
Association 63), of one group of runs each for the Mann-Whitney test of a shift. If the classes do not matter, every
order of the values is equally likely, and the number D of pairs of different classes in the wrong order has the
generating function of the Gaussian multinomial (Stanley 2011, Enumerative Combinatorics 1, 2nd ed., prop. 1.7.1): the
product of 1 - q^i over i = 1 to n, divided by that over i = 1 to c for each class of c values. Both tests are inverted
to an interval in the same way: of the slopes or differences of all pairs, from the k-th least to the k-th greatest.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from lrd.stats import scipy_stats

LARGEST_EXACT = 2500  # pairs; beyond, a normal approximation, there within one rank of the exact count
_ROUNDING = 1e-12


def interval_rank(classes: Sequence[int], error: float) -> int:
    """Return the largest k with 2 P(D < k) <= error: the rank at which the interval of all pairs begins.

    Args:
        classes: how many values each class has.
        error: 1 - level of the interval.

    Returns:
        k, counted from 1; 0 where no interval of so few values has the level.
    """
    n = sum(classes)
    pairs = (n * n - sum(c * c for c in classes)) // 2
    if pairs > LARGEST_EXACT:  # variance with ties: Kendall & Gibbons 1990, Rank Correlation Methods, ch. 4
        spread = sqrt((n * (n - 1) * (2 * n + 5) - sum(c * (c - 1) * (2 * c + 5) for c in classes)) / 18)
        return max(int((pairs + float(scipy_stats.norm.ppf(error / 2)) * spread) / 2), 0)
    ways = inversions(classes, pairs)
    total, below, k = sum(ways), 0, 0
    for count in ways:
        below += count
        if 2 * below > error * total * (1 + _ROUNDING):
            break
        k += 1
    return k


def inversions(classes: Sequence[int], pairs: int) -> list[int]:
    """Return how many orders of the values have D pairs in the wrong order, for D = 0, 1, ..., ``pairs``.

    Only pairs of values of different classes count, and orders that differ within a class alone count as one.

    Args:
        classes: how many values each class has.
        pairs: the largest D: how many pairs of values of different classes there are.
    """
    ways = [1] + [0] * pairs
    done = 0
    for count in classes:
        for i in range(1, count + 1):
            done += 1
            for d in range(pairs, done - 1, -1):  # times 1 - q^done
                ways[d] -= ways[d - done]
            for d in range(i, pairs + 1):  # divided by 1 - q^i
                ways[d] += ways[d - i]
    return ways
