"""Shares against Wilson's closed formula, a published table, and their coverage."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from lrd.stats import share, solve_share


def wilson(successes: int, count: int, level: float) -> tuple[float, float]:
    """Wilson (1927), written out."""
    z = norm.ppf((1 + level) / 2)
    p = successes / count
    middle = p + z * z / (2 * count)
    half = z * sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_share_is_wilsons_formula(count: int, part: float, level: float) -> None:
    successes = round(part * count)
    found = share(successes, count, level)
    low, high = wilson(successes, count, level)
    assert found.share == successes / count
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert found.low < found.high


def test_share_meets_newcombes_table() -> None:
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148, 0/20 and 1/29."""
    table = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (successes, count), (low, high) in table.items():
        found = share(successes, count)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 60), st.integers(0, 60))
def test_share_of_failures_mirrors_that_of_successes(count: int, successes: int) -> None:
    successes = min(successes, count)
    one, other = share(successes, count), share(count - successes, count)
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)


def test_interval_covers_as_often_as_it_says() -> None:
    """Exact coverage, by summing the binomial over p: Wilson's averages within 94 % to 97 % from n = 5 on."""
    levels = np.linspace(0.02, 0.98, 97)
    for count in (5, 10, 30):
        bounds = [share(k, count) for k in range(count + 1)]
        drawn = np.random.default_rng(count).binomial(count, levels, size=(4000, levels.size))
        low = np.array([b.low for b in bounds])[drawn]
        high = np.array([b.high for b in bounds])[drawn]
        assert 0.94 < ((low <= levels) & (levels <= high)).mean() < 0.97


def test_no_runs_give_no_share() -> None:
    nothing = share(0, 0)
    assert nothing.count == 0
    assert all(isnan(value) for value in (nothing.share, nothing.low, nothing.high))


@pytest.mark.parametrize("wrong", [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0), (1, 3, 0.0)])
def test_nonsense_is_refused(wrong: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="must lie"):
        share(*wrong)


def test_every_run_stays_in_the_denominator() -> None:
    states = ["finished"] * 4 + ["failed", "running", "interrupted", "interrupted"]
    outcomes = ["solved", "solved", "unsolved", "diverged", None, None, None, None]
    found = solve_share(states, outcomes)
    assert (found.successes, found.unsolved, found.diverged, found.failed, found.unfinished) == (2, 1, 1, 1, 3)
    assert (found.count, found.share) == (8, 0.25)
    assert found.low == share(2, 8).low


def test_a_run_that_did_not_finish_is_not_solved() -> None:
    """Even if something was written: only the end of a run says how it ended."""
    assert solve_share(["failed", "interrupted"], ["solved", "solved"]).successes == 0


@pytest.mark.parametrize(("state", "outcome"), [("finished", None), ("done", "solved"), ("finished", "won")])
def test_runs_that_cannot_be_counted_are_refused(state: str, outcome: str | None) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        solve_share([state], [outcome])
    with pytest.raises(ValueError, match="one outcome a state"):
        solve_share([state], [])
