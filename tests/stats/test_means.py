"""Means and their differences against scipy's own tests."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from scipy import stats

from lrd.stats import mean_interval, student, welch

FIRST, SECOND = [0.3, 1.2, 0.7, 2.2], [5.0, 1.0, 3.0, 2.0, 8.0, 4.0]


@pytest.mark.parametrize("level", [0.9, 0.995])
def test_the_intervals_are_those_of_students_and_welchs_tests(level: float) -> None:
    one = mean_interval([*FIRST, nan], level)
    low, high = stats.ttest_1samp(FIRST, 0).confidence_interval(level)
    assert (one.mean, one.low, one.high) == (pytest.approx(1.1), pytest.approx(low), pytest.approx(high))
    assert (one.count, one.missing, one.freedom) == (4, 1, 3)
    two = welch(one, mean_interval(SECOND, level))
    test = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    low, high = test.confidence_interval(level)
    assert (two.low, two.high, two.freedom) == (pytest.approx(low), pytest.approx(high), pytest.approx(test.df))
    assert (two.count, two.missing) == (10, 1)


def test_what_has_no_spread_has_no_interval() -> None:
    for values in ([], [1.0], [2.0, 2.0], np.add([0.1, 0.2, 0.4], 1.0) - [0.1, 0.2, 0.4], [1.0, inf], [-inf, inf]):
        found = mean_interval(values)
        assert isnan(found.low)
        assert isnan(found.high)
    assert mean_interval([1.0, inf]).mean == inf
    assert isnan(mean_interval([-inf, inf]).mean)
    assert isnan(welch(mean_interval(FIRST), mean_interval([1.0])).low)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1"):
        student(0.0, 1.0, 3, 4, 0, 1.0)
