"""The verdict on median updates misses no more often than it says, whatever the level."""

from __future__ import annotations

import numpy as np
import pytest
from lumps import ROUNDING, missed_at_worst

from lrd.findings.groups import Group
from lrd.findings.times import median_updates


def group(late: np.ndarray, solved: np.ndarray) -> Group:
    """Finished runs that solved it after 100 updates, or late: after 200, or not within them."""
    at, n = np.where(late, 200.0, 100.0), len(late)
    nothing: list[tuple[object, ...]] = [()] * n
    return Group(
        run_id=[f"run{k}" for k in range(n)],
        state=["finished"] * n,
        outcome=["solved" if one else "unsolved" for one in solved],
        solved=solved.astype(np.float64),
        update=at,
        solved_at=np.where(solved, at, np.nan),
        max_updates=np.full(n, 200.0),
        value=np.full(n, np.nan),
        against=np.full(n, np.nan),
        places=nothing,
        keys=nothing,
    )


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("late_ones_solve_it", [True, False])
def test_it_misses_no_more_often_than_it_says(level: float, late_ones_solve_it: bool) -> None:
    def misses(upper: int, median: float) -> bool:
        late = np.arange(runs) >= runs - upper
        found = median_updates(group(late, ~late | late_ones_solve_it), None, None, level)
        truth = 100.0 if median == 0 else 200.0 if late_ones_solve_it else np.inf
        return not found.why and not found.low <= truth <= found.high

    for runs in (3, 6, 8, 12, 20):
        assert missed_at_worst(misses, runs) <= 1 - level + ROUNDING, runs


def test_few_runs_give_none() -> None:
    late = np.array([False] * 5)
    assert "5 runs are too few" in median_updates(group(late, ~late), None, None, 0.95).why
