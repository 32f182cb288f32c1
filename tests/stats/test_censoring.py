"""Which runs are censored where, one of each kind."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from lrd.stats import times_to_solve

#: state, outcome, updates done, solved at, updates it would have been given; the time expected, and whether solved
RUNS = [
    ("finished", "solved", 450, 400, 3000, 400, True),
    ("finished", "solved", 450, nan, 3000, 450, True),  # nobody wrote when
    ("finished", "unsolved", 3000, nan, 3000, 3000, False),
    ("finished", "diverged", 120, nan, 3000, 3000, False),  # it will never solve
    ("finished", "diverged", 900, 700, 3000, 3000, False),  # nor will one that had met the criterion before
    ("finished", "diverged", 120, nan, nan, 120, False),
    ("failed", None, 200, nan, 3000, 200, False),
    ("failed", None, nan, nan, nan, 0, False),  # never began
    ("interrupted", None, 800, nan, 3000, 800, False),
    ("running", None, 10, nan, 3000, 10, False),
    ("failed", "solved", 300, 100, 3000, 300, False),  # only the end of a run says how it ended
]


def test_each_kind_of_run() -> None:
    states, outcomes, done, at, horizons, expected, solved = zip(*RUNS, strict=True)
    found = times_to_solve(states, outcomes, done, at, horizons)
    assert found.updates.tolist() == list(expected)
    assert found.solved.tolist() == list(solved)


def test_no_runs() -> None:
    found = times_to_solve([], [], [], [], [])
    assert found.updates.shape == found.solved.shape == (0,)
    assert found.solved.dtype == np.bool_


@pytest.mark.parametrize(("state", "outcome"), [("finished", None), ("done", "solved"), ("finished", "won")])
def test_runs_that_cannot_be_counted_are_refused(state: str, outcome: str | None) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        times_to_solve([state], [outcome], [1], [1], [1])


def test_columns_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="a run"):
        times_to_solve(["running"], [None], [1], [nan], [1, 2])
