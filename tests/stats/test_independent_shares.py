"""The difference of two independent shares against the table of the paper, and the exact interval of one share."""

from __future__ import annotations

from math import comb, isnan

import pytest
from scipy.stats import binom

from lrd.stats import share, share_difference


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0000),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombes_table(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    found = share_difference(share(*first), share(*second))
    assert (found.low, found.high) == (pytest.approx(low, abs=5.1e-5), pytest.approx(high, abs=5.1e-5))
    assert found.difference == pytest.approx(first[0] / first[1] - second[0] / second[1])


def test_fishers_p_is_that_of_the_tables_as_unlikely() -> None:
    # 5 and 1 of 6, margins 6 of 12: P(k) = C(6, k) C(6, 6 - k) / C(12, 6); as unlikely as k = 5 are k = 0, 1, 5, 6
    found = share_difference(share(5, 6), share(1, 6))
    assert found.p == pytest.approx(2 * (1 + 36) / comb(12, 6))


def test_no_runs_and_other_levels() -> None:
    assert isnan(share_difference(share(0, 0), share(1, 3)).p)
    with pytest.raises(ValueError, match="shares of one level"):
        share_difference(share(1, 3, 0.9), share(1, 3))


@pytest.mark.parametrize("level", [0.95, 0.995])
@pytest.mark.parametrize("p", [0.03, 0.25, 0.6])
def test_the_exact_interval_misses_no_more_often_than_its_level_says(p: float, level: float) -> None:
    n = 15
    bounds = [share(k, n, level, exact=True) for k in range(n + 1)]
    missed = sum(binom.pmf(k, n, p) for k, one in enumerate(bounds) if not one.low <= p <= one.high)
    assert missed <= 1 - level
    assert (bounds[0].low, bounds[n].high) == (0, 1)
