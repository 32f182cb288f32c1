"""The difference of the shares of two groups of runs that share no seeds.

The interval is method 10 of Newcombe (1998), "Interval estimation for the difference between independent proportions:
comparison of eleven methods", Statistics in Medicine 17, p. 873: Wilson's bounds of both shares, squared and added. Its
sister for pairs is ``lrd.stats.paired_shares``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, nan

from scipy.stats import fisher_exact

from lrd.stats.proportions import Share


@dataclass(frozen=True)
class ShareDifference:
    """First minus second share, between ``low`` and ``high``; ``p`` of Fisher's exact test, two-sided.

    NaN where either has no runs.
    """

    difference: float
    low: float
    high: float
    p: float


def share_difference(first: Share, second: Share) -> ShareDifference:
    """The difference at the level that both shares have.

    Raises:
        ValueError: their levels differ.
    """
    if first.level != second.level:
        raise ValueError(f"shares of one level, not of {first.level} and {second.level}")
    difference = first.share - second.share
    low = difference - hypot(first.share - first.low, second.high - second.share)
    high = difference + hypot(first.high - first.share, second.share - second.low)
    table = [[each.successes, each.count - each.successes] for each in (first, second)]
    p = float(fisher_exact(table).pvalue) if first.count and second.count else nan
    return ShareDifference(difference, low, high, p)
