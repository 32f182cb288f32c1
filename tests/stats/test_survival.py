"""Kaplan-Meier curves against the remission data, scipy, and what is left where nothing is censored or all is."""

from __future__ import annotations

import warnings
from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from remission import DRUG, DRUG_EVENTS, PLACEBO
from scipy.stats import CensoredData, ecdf

from lrd.stats import kaplan_meier, median_time, restricted_mean, share

Z = 1.959963984540054
#: Klein & Moeschberger (2003), table 4.1B: weeks, S, and its standard error by Greenwood's formula.
TABLE = {6: (0.857, 0.0764), 7: (0.807, 0.0869), 10: (0.753, 0.0963), 13: (0.690, 0.1068)}
TABLE |= {16: (0.627, 0.1141), 22: (0.538, 0.1282), 23: (0.448, 0.1346)}


def test_the_remission_data() -> None:
    curve = kaplan_meier(DRUG, DRUG_EVENTS)
    at = {int(week): place for place, week in enumerate(curve.updates)}
    assert (curve.count, curve.missing) == (21, 0)
    assert (curve.at_risk[at[6]], curve.solved[at[6]], curve.censored[at[6]]) == (21, 3, 1)  # censored, but at risk
    assert (curve.at_risk[at[35]], curve.censored[at[35]]) == (1, 1)
    for week, (s, error) in TABLE.items():
        place = at[week]
        assert curve.unsolved[place] == pytest.approx(s, abs=5e-4)
        # theta of the log-log interval, from the table's rounded numbers
        reach = exp(Z * error / (s * -log(s)))
        assert curve.low[place] == pytest.approx(s**reach, abs=3e-3)
        assert curve.high[place] == pytest.approx(s ** (1 / reach), abs=3e-3)


def test_the_medians_of_the_remission_data() -> None:
    """By hand from the same table: the lower bound falls below 1/2 in week 13, the upper never does."""
    found = median_time(kaplan_meier(DRUG, DRUG_EVENTS))
    assert (found.median, found.low, found.high) == (23, 13, inf)
    assert 0.690 ** exp(Z * 0.1068 / (0.690 * -log(0.690))) < 0.5 < 0.753 ** exp(Z * 0.0963 / (0.753 * -log(0.753)))
    # Placebo has no censoring: 12 of 21 left after week 5, 8 after week 8.
    assert median_time(kaplan_meier(PLACEBO, np.ones(21, bool))).median == 8


def test_the_restricted_mean_of_the_remission_data() -> None:
    """By hand: areas of the steps of S, and Greenwood's terms with the areas beyond each."""
    steps = [(6, 21, 3), (7, 17, 1), (10, 15, 1), (13, 12, 1), (16, 11, 1), (22, 7, 1), (23, 6, 1)]  # week, n, d
    s, area, before, pieces = 1.0, 0.0, 0, []
    for week, n, d in [*steps, (35, 0, 0)]:
        pieces.append((week - before) * s)
        before = week
        s *= 1 - d / n if n else 1
    area = sum(pieces)
    variance = sum(sum(pieces[i + 1 :]) ** 2 * d / (n * (n - d)) for i, (_, n, d) in enumerate(steps))
    found = restricted_mean(kaplan_meier(DRUG, DRUG_EVENTS))
    assert (found.mean, found.error, found.horizon) == pytest.approx((area, sqrt(variance), 35))
    assert found.mean == pytest.approx(23.29, abs=0.005)  # the book's example 4.2: 23.29 weeks, error 2.83
    assert found.error == pytest.approx(2.83, abs=0.005)
    assert (found.low, found.high) == pytest.approx((area - Z * found.error, area + Z * found.error))


times = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=25)


@given(times)
def test_the_curve_is_that_of_scipy(runs: list[tuple[int, bool]]) -> None:
    updates, solved = (np.array(column) for column in zip(*runs, strict=True))
    curve = kaplan_meier(updates, solved)
    other = ecdf(CensoredData(uncensored=updates[solved], right=updates[~solved])).sf
    assert curve.unsolved == pytest.approx(other.evaluate(curve.updates), abs=1e-12)
    inside = (curve.unsolved > 0) & (curve.unsolved < 1)
    if inside.any():
        with warnings.catch_warnings():  # that it has none where S is 1 or 0
            warnings.simplefilter("ignore", RuntimeWarning)
            bounds = other.confidence_interval(method="log-log")
        assert curve.low[inside] == pytest.approx(bounds.low.evaluate(curve.updates[inside]), abs=1e-9)
        assert curve.high[inside] == pytest.approx(bounds.high.evaluate(curve.updates[inside]), abs=1e-9)


@given(times)
def test_bounds_hold_the_curve_everywhere(runs: list[tuple[int, bool]]) -> None:
    updates, solved = (np.array(column) for column in zip(*runs, strict=True))
    curve = kaplan_meier(updates, solved)
    assert (curve.low <= curve.unsolved).all()
    assert (curve.unsolved <= curve.high).all()
    assert (curve.low < curve.high).all()  # never of width zero
    found = median_time(curve)
    assert found.low <= found.median <= found.high
    mean = restricted_mean(curve)
    assert 0 <= mean.mean <= mean.horizon == updates.max()
    assert isnan(mean.error) or mean.low <= mean.mean <= mean.high


def test_without_censoring_it_is_the_share_and_the_mean() -> None:
    updates = np.array([5.0, 1.0, 3.0, 3.0])
    curve = kaplan_meier(updates, np.ones(4, bool))
    assert curve.updates.tolist() == [0, 1, 3, 5]
    assert curve.unsolved == pytest.approx([1, 3 / 4, 1 / 4, 0])
    assert restricted_mean(curve).mean == pytest.approx(updates.mean())
    assert restricted_mean(curve).error == pytest.approx(updates.std() / sqrt(4))  # as the book remarks
    assert restricted_mean(curve, horizon=9).mean == pytest.approx(updates.mean())  # all are known beyond
    assert median_time(curve).median == 3


def test_none_solved() -> None:
    """Of ten, none: S stays 1, and what ten can say of it is Wilson's; the median lies beyond."""
    curve = kaplan_meier(np.full(10, 3000), np.zeros(10, bool))
    assert curve.unsolved.tolist() == [1, 1]
    assert curve.low == pytest.approx(10 / (10 + Z**2))
    assert curve.high.tolist() == [1, 1]
    assert median_time(curve).median == median_time(curve).high == inf
    assert median_time(curve).low == 3000
    mean = restricted_mean(curve)
    assert (mean.mean, mean.horizon) == (3000, 3000)
    assert np.isnan([mean.error, mean.low, mean.high]).all()
    few = median_time(kaplan_meier([3000, 3000], [False, False]))  # two say nothing
    assert (few.median, few.low, few.high) == (inf, 0, inf)


def test_all_solved_at_once() -> None:
    curve = kaplan_meier(np.full(10, 50), np.ones(10, bool))
    assert curve.unsolved.tolist() == [1, 0]
    assert (curve.low[-1], curve.high[-1]) == pytest.approx((0, share(0, 10).high))
    assert (median_time(curve).median, median_time(curve).low, median_time(curve).high) == (50, 50, 50)
    assert isnan(restricted_mean(curve).error)


def test_runs_that_never_began_count_but_are_never_at_risk() -> None:
    curve = kaplan_meier([0, 0, 10, 20], [False, False, True, False])
    assert (curve.count, curve.at_risk.tolist(), curve.censored.tolist()) == (4, [4, 2, 1], [2, 0, 1])
    assert curve.unsolved.tolist() == [1, 0.5, 0.5]
    assert median_time(curve).median == 10


def test_missing_times_are_left_out_and_counted() -> None:
    curve = kaplan_meier([nan, 10.0, 20.0], [True, True, False])
    assert (curve.count, curve.missing) == (2, 1)
    nothing = kaplan_meier([], [])
    assert (nothing.count, nothing.unsolved.tolist()) == (0, [1])
    assert np.isnan([nothing.low[0], nothing.high[0], median_time(nothing).median, restricted_mean(nothing).mean]).all()


def test_a_half_that_rounding_misses() -> None:
    """6 of 12 left, by six factors whose product is not 1/2 in floats."""
    curve = kaplan_meier(np.arange(1.0, 13.0), np.ones(12, bool))
    assert median_time(curve).median == 6


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="one flag a run"):
        kaplan_meier([1.0, 2.0], [True])
    with pytest.raises(ValueError, match="negative"):
        kaplan_meier([-1.0], [True])
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        kaplan_meier([1.0], [True], level=1)
    with pytest.raises(ValueError, match="no run was watched up to 50"):
        restricted_mean(kaplan_meier([10.0, 20.0], [True, False]), horizon=50)
