"""Theil-Sen's slope by hand, and what outliers and zeros do to it."""

from __future__ import annotations

from itertools import combinations, permutations
from math import inf, isnan, nan

import numpy as np
import pytest

from lrd.stats import robust_slope
from lrd.stats.inversions import LARGEST_EXACT, interval_rank, inversions


def test_by_hand_with_an_outlier() -> None:
    """Ten pairs: 6 of slope 1 among the first four points; with the last one 24.25, 32, 47.5 and 94."""
    found = robust_slope([0, 1, 2, 3, 4], [1, 2, 3, 4, 98])
    slopes = sorted((y - x) / (j - i) for (i, x), (j, y) in combinations(enumerate([1, 2, 3, 4, 98]), 2))
    assert slopes == [1] * 6 + [24.25, 32, 47.5, 94]
    assert found.slope == np.median(slopes) == 1
    assert found.least_squares == pytest.approx((-2 * 1 - 2 + 4 + 2 * 98) / 10)
    # 2 of the 5! orders have no pair in the wrong order or all of them, 10 one or all but one: too many to leave out.
    assert (found.low, found.high) == (1, 94)


def test_a_line_is_found_among_a_quarter_of_nonsense() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(80.0)
    y = -0.05 * t + rng.normal(scale=0.02, size=80)
    y[40 + rng.choice(40, 20, replace=False)] -= 30
    found = robust_slope(t, y)
    assert found.slope == pytest.approx(-0.05, abs=0.002)
    assert found.low <= found.slope <= found.high
    assert abs(found.least_squares + 0.05) > 0.02


def test_what_has_no_logarithm_is_left_out_and_counted() -> None:
    found = robust_slope([0, 1, 2, 3, 4, 5, 6, 7], [-inf, -inf, 0, 2, 4, nan, 8, 10])
    assert (found.slope, found.least_squares, found.count, found.missing) == (2, pytest.approx(2), 5, 3)
    nothing = robust_slope([0, 1], [-inf, 3])
    assert isnan(nothing.slope)
    assert (nothing.count, nothing.missing) == (1, 1)


def test_four_steps_have_no_interval_at_95_percent() -> None:
    """The most extreme 2 of 4! orders have probability 1/12, of 5! 1/60."""
    four = robust_slope(range(4), [0, 1, 3, 3])
    assert np.isnan([four.low, four.high]).all()
    assert np.isfinite(
        [robust_slope(range(5), [0, 1, 3, 3, 4]).low, robust_slope(range(4), [0, 1, 3, 3], 0.9).low]
    ).all()


@pytest.mark.parametrize(("seeds", "there"), [(3, False), (4, True)])
def test_of_two_gaps_four_seeds_are_needed(seeds: int, there: bool) -> None:
    """The most extreme 2 of the 6! / 3! 3! ways to deal 6 values to two gaps have probability 1/10; of 8, 1/35."""
    found = robust_slope([1] * seeds + [2] * seeds, range(2 * seeds))
    assert found.slope == seeds
    assert np.isfinite([found.low, found.high]).all() == there


def test_the_counts_are_those_of_all_orders() -> None:
    assert inversions([1, 1, 1, 1], 6) == [1, 3, 5, 6, 5, 3, 1]
    pairs = [(a, b) for a, b in combinations(range(4), 2) if (a < 2) != (b < 2)]  # two steps at each of two t
    wrong = [sum(order[a] > order[b] for a, b in pairs) for order in permutations(range(4))]
    assert inversions([2, 2], 4) == [wrong.count(d) // 4 for d in range(5)]


@pytest.mark.parametrize("error", [0.2, 0.05, 0.01])
def test_the_approximation_is_the_exact_count_within_a_rank(error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 71  # the most of which all pairs are counted
    pairs = steps * (steps - 1) // 2
    assert pairs <= LARGEST_EXACT < steps * (steps + 1) // 2
    exact = interval_rank([1] * steps, error)
    monkeypatch.setattr("lrd.stats.inversions.LARGEST_EXACT", 0)
    assert abs(interval_rank([1] * steps, error) - exact) <= 1


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="one norm a step"):
        robust_slope([1, 2], [1])
    with pytest.raises(ValueError, match="strictly between"):
        robust_slope([1, 2], [1, 2], level=95)
