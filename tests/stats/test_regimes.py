"""Regimes of slopes with known intervals, and how often the interval covers."""

from __future__ import annotations

import numpy as np
import pytest

from lrd.stats import REGIMES, regimes, slope_interval

BORDER = np.log10(np.e) / 50  # of a gap of 50 steps


def test_the_interval_is_students_t() -> None:
    """Tables: t_0.975 is 12.706, 2.262 and 1.960 for 1, 9 and infinitely many degrees of freedom."""
    low, high = slope_interval([0.0] * 3, [1.0] * 3, [2, 10, 10**9])
    assert high.tolist() == pytest.approx([12.706, 2.262, 1.960], abs=5e-4)
    assert low.tolist() == (-high).tolist()
    assert np.isnan(slope_interval(0.1, np.nan, 1)).all()


@pytest.mark.parametrize(
    ("slope", "error", "expected"),
    [
        (2 * BORDER, 0.1 * BORDER, "vanishing"),
        (-2 * BORDER, 0.1 * BORDER, "exploding"),
        (0.5 * BORDER, 0.1 * BORDER, "preserving"),
        (0.0, 0.0, "preserving"),
        (1.1 * BORDER, 0.1 * BORDER, "undecided"),  # 2.26 errors reach below the border
        (0.9 * BORDER, 0.1 * BORDER, "undecided"),
        (0.0, 5 * BORDER, "undecided"),
        (2 * BORDER, np.nan, "undecided"),  # of a single sample
        (np.nan, np.nan, None),
    ],
)
def test_a_regime_is_what_the_whole_interval_says(slope: float, error: float, expected: str | None) -> None:
    (found,) = regimes([slope], [error], [10], [50])
    assert found == expected
    assert found is None or found in REGIMES


def test_a_longer_gap_makes_a_slope_vanish() -> None:
    assert regimes([0.01] * 3, [1e-4] * 3, [32] * 3, [10, 43, 100]).tolist() == ["preserving", "undecided", "vanishing"]


def test_the_interval_covers_as_often_as_it_says() -> None:
    """4,000 experiments of 8 samples: the share covered is binomial with a standard error of 0.0034."""
    rng = np.random.default_rng(5)
    drawn = rng.normal(0.3, 2.0, (4000, 8))
    low, high = slope_interval(drawn.mean(1), drawn.std(1, ddof=1) / np.sqrt(8), np.full(4000, 8))
    assert np.mean((low <= 0.3) & (high >= 0.3)) == pytest.approx(0.95, abs=4 * 0.0034)
