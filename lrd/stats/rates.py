"""How many times as often one group of runs solves its task as another: the hazard ratio that the log-rank test gives.

Peto's one-step estimate (Peto & Peto 1972, JRSS A 135; Yusuf et al. 1985, Progress in Cardiovascular Diseases 27):
ln ratio = (O - E) / V with error 1 / sqrt(V), of the solved runs of the first group, observed and expected if one
hazard served both, and their variance. Near 1 it is unbiased; far from it, it is too near to 1, and its side is what to
trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from lrd.stats.logrank import logrank


@dataclass(frozen=True)
class RateRatio:
    """Rate of solving of the first group over that of the second, and ``p`` of the log-rank test.

    NaN where nothing could differ: nothing was solved, or never were both groups at risk.
    """

    ratio: float
    low: float
    high: float
    p: float
    level: float


def rate_ratio(
    first: ArrayLike, first_solved: ArrayLike, second: ArrayLike, second_solved: ArrayLike, level: float = 0.95
) -> RateRatio:
    """The ratio from updates until runs were solved or censored [runs], and which were solved [runs], of each group.

    Raises:
        ValueError: unequal lengths, or a level outside of (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, not {level}")
    sizes = np.size(first), np.size(second)
    times, solved = np.append(first, second), np.append(first_solved, second_solved)
    test = logrank(times, solved, ["first"] * sizes[0] + ["second"] * sizes[1])
    if not test.freedom:
        return RateRatio(nan, nan, nan, nan, level)
    variance = float(test.variance[0, 0])
    log = float(test.observed[0] - test.expected[0]) / variance
    reach = float(norm.ppf((1 + level) / 2)) / sqrt(variance)
    return RateRatio(exp(log), exp(log - reach), exp(log + reach), test.p, level)
