"""Quantiles against numpy where numpy has an answer, infinities by hand, intervals by their coverage."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lrd.stats import band, median, median_interval, quantile

finite = st.floats(-1e6, 1e6)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=finite), st.floats(0, 1))
def test_quantile_is_numpys_on_finite_values(values: np.ndarray, q: float) -> None:
    assert quantile(values, q) == pytest.approx(np.quantile(values, q, axis=0), rel=1e-9, abs=1e-6)
    assert quantile(values, q, axis=-1) == pytest.approx(np.quantile(values, q, axis=-1), rel=1e-9, abs=1e-6)


@given(hnp.arrays(np.float64, (5, 4), elements=st.one_of(finite, st.just(nan))), st.floats(0, 1))
def test_quantile_leaves_nan_out_by_column(values: np.ndarray, q: float) -> None:
    for column, found in zip(values.T, quantile(values, q), strict=True):
        known = column[~np.isnan(column)]
        assert isnan(found) if not known.size else found == pytest.approx(np.quantile(known, q), rel=1e-9, abs=1e-6)


def test_quantile_keeps_infinities_in_order() -> None:
    assert median([-inf, -inf, -3.0]) == -inf
    assert median([-inf, -3.0, -1.0]) == -3.0
    assert median([-inf, -3.0]) == -inf
    assert median([2.0, inf]) == inf
    assert median([-inf, -3.0, -1.0, inf]) == -2.0
    assert quantile([-inf, 1.0, 2.0, 3.0], 0.1) == -inf
    assert quantile([-inf, 1.0, 2.0, 3.0], 2 / 3) == pytest.approx(2.0)
    assert np.isnan([median([nan, nan]), median([])]).all()


def test_band_of_few_seeds_is_min_to_max_and_says_so() -> None:
    few = band([[1.0, 5.0], [2.0, nan], [9.0, nan]])
    assert few.kind == "min-max"
    assert few.median.tolist() == [2.0, 5.0]
    assert (few.low[0], few.high[0]) == (1.0, 9.0)
    assert np.isnan([few.low[1], few.high[1]]).all()  # one seed measured there: no interval
    assert few.count.tolist() == [3, 1]


def test_band_of_many_seeds_is_quantiles_and_says_so() -> None:
    many = band(np.arange(11.0)[:, None])
    assert (many.kind, many.median[0]) == ("10-90 %", 5.0)
    assert (many.low[0], many.high[0]) == pytest.approx((1.0, 9.0))
    assert band(np.arange(11.0)[:, None], coverage=0.5).kind == "25-75 %"


def test_band_of_one_seed_has_no_bounds() -> None:
    one = band([[1.0, 2.0], [nan, nan]])
    assert one.kind == "none"
    assert one.median.tolist() == [1.0, 2.0]
    assert np.isnan([one.low, one.high]).all()


def test_interval_of_five_seeds_is_their_range_and_worth_94_percent() -> None:
    five = median_interval([4.0, 1.0, 16.0, 9.0, 25.0])
    assert (five.estimate, five.low, five.high, five.count) == (9.0, 1.0, 25.0, 5)
    assert five.attainable == 0.9375


@pytest.mark.parametrize(("level", "low", "high"), [(0.95, 2, 9), (0.98, 1, 10), (0.85, 3, 8)])
def test_interval_of_ten_seeds_by_hand(level: float, low: float, high: float) -> None:
    """n=10: [x_1, x_10] covers 1 - 2/1024, [x_2, x_9] 1 - 22/1024 = 97.9 %, [x_3, x_8] 1 - 112/1024 = 89.1 %."""
    found = median_interval(np.arange(1.0, 11.0), level)
    assert (found.low, found.high) == (low, high)


def test_a_level_that_is_just_reached_is_reached() -> None:
    found = median_interval(np.arange(1.0, 11.0), 1 - 22 / 1024)
    assert (found.low, found.high) == (2, 9)


@pytest.mark.parametrize("count", [6, 7, 10, 15, 24])
def test_interval_covers_the_true_median(count: int) -> None:
    rng = np.random.default_rng(count)
    found = [median_interval(rng.exponential(size=count)) for _ in range(1500)]
    assert np.mean([one.low <= np.log(2) <= one.high for one in found]) > 0.935


def test_one_value_has_none_and_missing_values_are_counted() -> None:
    one = median_interval([3.0, nan, nan])
    assert (one.estimate, one.count, one.missing, one.attainable) == (3.0, 1, 2, 0.0)
    assert np.isnan([one.low, one.high]).all()
    assert isnan(median_interval([]).estimate)


def test_infinities_stay_in_order() -> None:
    found = median_interval([-inf, -inf, -40.0, -39.0, -38.0, -37.0, -2.0])
    assert (found.estimate, found.low) == (-39.0, -inf)
    assert np.isfinite(found.high)


def test_an_interval_depends_on_the_values_alone() -> None:
    values = np.random.default_rng(5).normal(size=12)
    assert median_interval(values) == median_interval(values[::-1])
    assert median_interval(values).low < median_interval(values).estimate < median_interval(values).high


@pytest.mark.parametrize("level", [0.0, 1.0, -0.2])
def test_levels_outside_0_and_1_are_refused(level: float) -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        median_interval([1.0, 2.0], level=level)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        band([[1.0], [2.0]], coverage=level)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], 1.5)
    with pytest.raises(ValueError, match="shape"):
        band([1.0, 2.0])
