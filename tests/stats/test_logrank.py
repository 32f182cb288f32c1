"""The log-rank test against the remission data, scipy, and its definition written out."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from remission import DRUG, DRUG_EVENTS, PLACEBO
from scipy import stats

from lrd.stats import logrank


def test_the_remission_data() -> None:
    """Chi-square 16.79 at 1 degree of freedom; 9 relapses of 19.25 expected, 21 of 10.75."""
    found = logrank([*DRUG, *PLACEBO], [*DRUG_EVENTS, *[True] * 21], ["6-MP"] * 21 + ["placebo"] * 21)
    assert found.statistic == pytest.approx(16.79, abs=0.005)
    assert (found.freedom, found.groups) == (1, ("6-MP", "placebo"))
    assert found.observed.tolist() == [9, 21]
    assert found.expected == pytest.approx([19.25, 10.75], abs=0.005)
    assert found.p == pytest.approx(4.17e-5, abs=0.005e-5)


runs = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.sampled_from("abc")), min_size=4, max_size=30)


def written_out(updates: np.ndarray, solved: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Excess [groups] and its covariance, one update and one pair of groups after another."""
    names = np.unique(groups)
    excess, covariance = np.zeros(names.size), np.zeros((names.size,) * 2)
    for t in np.unique(updates[solved]):
        risk = np.array([np.sum((groups == name) & (updates >= t)) for name in names])
        d = np.array([np.sum((groups == name) & (updates == t) & solved) for name in names])
        n, all_d = risk.sum(), d.sum()
        excess += d - all_d * risk / n
        if n > 1:
            for i in range(names.size):
                for j in range(names.size):
                    same = float(i == j)
                    covariance[i, j] += risk[i] / n * (same - risk[j] / n) * all_d * (n - all_d) / (n - 1)
    return excess, covariance


@given(runs)
def test_it_is_its_definition(runs: list[tuple[int, bool, str]]) -> None:
    updates, solved, groups = (np.array(column) for column in zip(*runs, strict=True))
    found = logrank(updates, solved, list(groups))
    excess, covariance = written_out(updates, solved, groups)
    assert found.observed - found.expected == pytest.approx(excess, abs=1e-9)
    assert found.observed.sum() == pytest.approx(found.expected.sum())
    varies = np.diag(covariance) > 1e-12
    assert found.freedom <= max(int(varies.sum()) - 1, 0)
    kept = np.flatnonzero(varies)[1:]  # any one of the groups says nothing beyond the others
    if found.freedom == kept.size and kept.size:
        expected = excess[kept] @ np.linalg.solve(covariance[np.ix_(kept, kept)], excess[kept])
        assert found.statistic == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert found.p == pytest.approx(stats.chi2.sf(expected, kept.size), rel=1e-5)


@given(runs)
def test_two_groups_are_scipys(runs: list[tuple[int, bool, str]]) -> None:
    updates, solved, groups = (np.array(column) for column in zip(*runs, strict=True))
    found = logrank(updates, solved, ["a" if group == "a" else "b" for group in groups])
    if found.freedom:
        one, other = (
            stats.CensoredData(uncensored=updates[mine & solved], right=updates[mine & ~solved])
            for mine in (groups == "a", groups != "a")
        )
        theirs = stats.logrank(one, other)
        assert found.statistic == pytest.approx(theirs.statistic**2, abs=1e-9)
        assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)


@pytest.mark.parametrize(
    ("updates", "solved", "groups"),
    [
        ([5, 5, 9, 9], [False] * 4, "aabb"),  # nobody solved it
        ([5, 6, 7, 8], [True] * 4, "aaaa"),  # one group
        ([5, 5, 5, 5], [True] * 4, "aabb"),  # all at once
        ([1, 1, 5, 6], [False, False, True, True], "aabb"),  # the first group was gone before
        ([], [], ""),
    ],
)
def test_where_nothing_could_differ(updates: list[int], solved: list[bool], groups: str) -> None:
    found = logrank(updates, solved, list(groups))
    assert found.freedom == 0
    assert isnan(found.statistic)
    assert isnan(found.p)


def test_a_group_that_was_never_at_risk_takes_no_part() -> None:
    updates, solved, groups = [1, 5, 6, 7, 8, 9, 9], [False, True, True, True, False, True, False], list("abbbccc")
    found, without = logrank(updates, solved, groups), logrank(updates[1:], solved[1:], groups[1:])
    assert (found.freedom, found.statistic) == (1, pytest.approx(without.statistic))


def test_missing_times_are_left_out() -> None:
    found = logrank([5, 6, 7, 8, np.nan], [True] * 5, list("ababa"))
    assert found.statistic == pytest.approx(logrank([5, 6, 7, 8], [True] * 4, list("abab")).statistic)
    with pytest.raises(ValueError, match="one time, flag and group a run"):
        logrank([1.0], [True], [])
