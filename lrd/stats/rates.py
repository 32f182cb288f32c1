"""How many times as often one group of runs solves its task as another: the hazard ratio that the log-rank test gives.

Peto's one-step estimate (Peto & Peto 1972, Journal of the Royal Statistical Society A 135; Yusuf et al. 1985, Progress
in Cardiovascular Diseases 27): ln ratio = (O - E) / V with standard error 1 / sqrt(V), where O runs of the first group
solved their task, E would have if one hazard served both groups, and V is the variance of O - E. Near 1 the estimate is
unbiased. Far from 1 it is biased towards 1: trust its side, not its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from lrd.stats import scipy_stats
from lrd.stats.levels import check_level
from lrd.stats.logrank import logrank


@dataclass(frozen=True)
class RateRatio:
    """The rate of solving of a first group over that of a second, with its interval and ``p`` of the log-rank test.

    All are NaN where nothing could differ: nothing was solved, or never were both groups at risk.
    """

    ratio: float
    low: float
    high: float
    p: float
    level: float


def rate_ratio(
    first: ArrayLike, first_solved: ArrayLike, second: ArrayLike, second_solved: ArrayLike, level: float = 0.95
) -> RateRatio:
    """Return how many times as often the first group of runs solves its task as the second.

    Args:
        first: updates until each run of the first group was solved or censored [runs]; NaN is left out.
        first_solved: whether it was solved [runs].
        second: updates of the second group.
        second_solved: whether these were solved.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: unequal lengths, or a level outside of (0, 1).
    """
    check_level(level)
    sizes = np.size(first), np.size(second)
    times, solved = np.append(first, second), np.append(first_solved, second_solved)
    test = logrank(times, solved, ["first"] * sizes[0] + ["second"] * sizes[1])
    if not test.freedom:
        return RateRatio(nan, nan, nan, nan, level)
    variance = float(test.variance[0, 0])
    log = float(test.observed[0] - test.expected[0]) / variance
    reach = float(scipy_stats.norm.ppf((1 + level) / 2)) / sqrt(variance)
    return RateRatio(exp(log), exp(log - reach), exp(log + reach), test.p, level)
