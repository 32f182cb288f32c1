"""The ratio of two rates of solving, and whether one number grows with another."""

from __future__ import annotations

from math import exp, inf, isnan, nan, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from lrd.stats import rate_ratio, tau


def test_a_ratio_worked_by_hand() -> None:
    # at risk (first, second) when one is solved: (2, 2) a first, (1, 2) a second, (1, 1) a first; the last is censored
    found = rate_ratio([1, 3], [True, True], [2, 4], [True, False], level=0.9)
    expected, variance = 1 / 2 + 1 / 3 + 1 / 2, 1 / 4 + 2 / 9 + 1 / 4
    reach = norm.ppf(0.95) / sqrt(variance)
    log = (2 - expected) / variance
    assert (found.ratio, found.low) == (pytest.approx(exp(log)), pytest.approx(exp(log - reach)))
    assert found.high == pytest.approx(exp(log + reach))
    assert found.p == pytest.approx(2 * norm.sf((2 - expected) / sqrt(variance)))


def test_the_other_way_round_is_the_reciprocal() -> None:
    first, second = ([3, 5, 9, 10], [True, True, True, False]), ([4, 8, 10], [True, False, False])
    there, back = rate_ratio(*first, *second), rate_ratio(*second, *first)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.low == pytest.approx(1 / back.high)


def test_where_nothing_could_differ_there_is_no_ratio() -> None:
    for first, second in (([5.0, 5.0], []), ([5.0, 5.0], [5.0])):
        assert isnan(rate_ratio(first, [False] * len(first), second, [False] * len(second)).ratio)
    with pytest.raises(ValueError, match="level"):
        rate_ratio([1.0], [True], [2.0], [True], level=0)


def test_tau_counts_pairs_in_order() -> None:
    assert tau([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx((5 - 1) / 6)
    assert tau([1, 2, 3], [-inf, 0, inf]) == 1
    assert tau([1, 2, 3], [3, 3, 3]) == 0
    # one pair tied in y: (2 - 0) / sqrt(3 * 2)
    assert tau([1, 2, 3], [1, 1, 2]) == pytest.approx(2 / sqrt(6))
    for x, y in (([1.0, 1.0], [1.0, 2.0]), ([1.0], [2.0]), ([1.0, nan], [1.0, 2.0]), ([1.0, 2.0], [nan, 2.0])):
        assert isnan(tau(np.array(x), y))
    with pytest.raises(ValueError, match="one y a x"):
        tau([1, 2], [1])
