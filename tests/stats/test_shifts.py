"""Hodges and Lehmann's shift against the Mann-Whitney test that its interval inverts."""

from __future__ import annotations

from math import comb, inf, isnan, nan

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from lrd.stats import shift
from lrd.stats.inversions import LARGEST_EXACT, interval_rank, inversions
from lrd.stats.shifts import differences

FIRST, SECOND = [1.1, 2.3, 3.7, 4.2, 9.0, 6.1], [0.4, 1.9, 2.2, 7.5, 0.9]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_holds_the_shifts_that_the_exact_test_accepts(level: float) -> None:
    found = shift(FIRST, SECOND, level)
    assert found.shift == pytest.approx(np.median(np.subtract.outer(FIRST, SECOND)))
    for at, accepted in ((found.low, True), (found.high, True)):
        inside, outside = (at + sign * (1e-9 if at == found.low else -1e-9) for sign in (1, -1))
        assert (mannwhitneyu(np.subtract(FIRST, inside), SECOND, method="exact").pvalue > 1 - level) == accepted
        assert mannwhitneyu(np.subtract(FIRST, outside), SECOND, method="exact").pvalue <= 1 - level


def test_the_counts_are_those_of_all_orders() -> None:
    assert inversions([3, 2], 6) == [1, 1, 2, 2, 2, 1, 1]
    assert sum(inversions([7, 9], 63)) == comb(16, 7)
    assert inversions([4, 6], 24) == inversions([6, 4], 24)


def test_the_approximation_goes_on_where_the_exact_counts_end() -> None:
    n = int(LARGEST_EXACT**0.5)
    exact, approximate = interval_rank([n, n], 0.05), interval_rank([n, n + 1], 0.05)
    # one more in the second group moves both the middle and the reach by a little: by n / 2 and 2 % of the reach
    assert exact < approximate < exact + n / 2 + 2


def test_infinities_have_their_place_and_too_few_have_none() -> None:
    found = shift([1.0, inf, inf, inf, nan], [0.0, 2.0, 1.0, inf], 0.9)
    assert (found.first, found.second, found.missing) == (4, 4, 1)
    assert found.high == inf
    assert found.shift == inf  # nine of sixteen
    assert differences([inf, -inf, inf, 1.0], [inf, -inf, 1.0, inf]).tolist() == [0, 0, inf, -inf]
    few = shift([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert few.shift == -3
    assert isnan(few.low)
    assert few.attainable == 1 - 2 / 20
    assert isnan(shift([], [1.0]).shift)
    with pytest.raises(ValueError, match="level"):
        shift([1.0], [2.0], 1.0)


def test_groups_have_the_interval_that_has_exactly_the_level() -> None:
    found = shift([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0.9)  # 2 of the 6! / 3! 3! orders are the most extreme
    assert (found.low, found.high, found.attainable) == (-5, -1, 0.9)
