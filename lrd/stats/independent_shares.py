"""The difference of the shares of two groups of runs that have no seeds in common.

The interval is method 10 of Newcombe (1998), "Interval estimation for the difference between independent proportions:
comparison of eleven methods", Statistics in Medicine 17, p. 873: the distances of Wilson's bounds from both shares,
squared and added. ``lrd.stats.paired_shares`` is for pairs of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, nan

from lrd.stats import scipy_stats
from lrd.stats.proportions import Share


@dataclass(frozen=True)
class ShareDifference:
    """The first share minus the second with its interval, and ``p`` of Fisher's exact test (two-sided).

    All are NaN where either group has no runs.
    """

    difference: float
    low: float
    high: float
    p: float


def share_difference(first: Share, second: Share) -> ShareDifference:
    """Return the first share minus the second, at the level that both have.

    Args:
        first: the share of one group, with Wilson's interval.
        second: that of the other.

    Raises:
        ValueError: their levels differ.
    """
    if first.level != second.level:
        raise ValueError(f"shares of one level, not of {first.level} and {second.level}")
    difference = first.share - second.share
    low = difference - hypot(first.share - first.low, second.high - second.share)
    high = difference + hypot(first.high - first.share, second.share - second.low)
    table = [[each.successes, each.count - each.successes] for each in (first, second)]
    p = float(scipy_stats.fisher_exact(table).pvalue) if first.count and second.count else nan
    return ShareDifference(difference, low, high, p)
