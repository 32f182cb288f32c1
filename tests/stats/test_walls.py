from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.stats import Wall, share, wall


def wilson(k: int, n: int, sign: int) -> float:
    """Wilson's bound at 95 %, from its formula."""
    z = 1.959963984540054
    p = k / n
    return (p + z * z / (2 * n) + sign * z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def test_by_hand() -> None:
    # Of 5: 5 solved is surely half or more (bound 0.566), 4 is not (0.376); 1 may be half (0.624), 0 not (0.434).
    shares = {10: share(5, 5), 30: share(5, 5), 60: share(4, 5), 100: share(3, 5), 200: share(1, 5), 400: share(0, 5)}
    assert wall(shares) == Wall(gap=100, low=30, high=200, tried=400)


def test_no_gap_and_every_gap() -> None:
    assert wall({10: share(0, 5), 20: share(0, 5)}) == Wall(None, None, None, 20)
    assert wall({10: share(5, 5), 20: share(5, 5)}) == Wall(20, 20, 20, 20)
    assert wall({10: share(1, 5)}) == Wall(None, None, 10, 10)


def test_gaps_without_runs_say_nothing() -> None:
    assert wall({10: share(5, 5), 20: share(0, 0)}) == Wall(10, 10, 10, 10)
    with pytest.raises(ValueError, match="needs runs"):
        wall({10: share(0, 0)})


@given(st.dictionaries(st.integers(1, 500), st.integers(0, 7), min_size=1))
def test_the_interval_holds_the_wall_and_is_that_of_the_formula(solved: dict[int, int]) -> None:
    found = wall({gap: share(k, 7) for gap, k in solved.items()})
    order = [-1 if gap is None else gap for gap in (found.low, found.gap, found.high, found.tried)]
    assert order == sorted(order)
    for bound, sign in ((found.low, -1), (found.high, 1)):
        assert bound == max((gap for gap, k in solved.items() if wilson(k, 7, sign) >= 0.5), default=None)
