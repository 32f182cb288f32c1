"""Slopes against numpy's least squares, a worked example, and the closed forms of published-results.md."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.stats import factor_per_step, fit_line, horizon


def test_fit_by_hand() -> None:
    """Points (0,1), (1,3), (2,2): slope 1/2, intercept 3/2, residuals -1/2, 1, -1/2."""
    fit = fit_line([0, 1, 2], [1, 3, 2])
    assert fit.slope == pytest.approx(0.5)
    assert fit.intercept == pytest.approx(1.5)
    assert fit.residual == pytest.approx(np.sqrt(0.5))
    assert (fit.points, fit.left_out) == (3, 0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 50))
def test_fit_is_numpys_least_squares(seed: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    steps, norms = rng.permutation(200)[:points], rng.normal(scale=30, size=points)
    slope, intercept = np.polyfit(steps, norms, 1)
    fit = fit_line(steps, norms)
    assert fit.slope == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert fit.intercept == pytest.approx(intercept, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("g", [0.5, 0.9, 1.0, 1.1])
def test_scaled_orthogonal_matrix_has_factor_g(g: float) -> None:
    """W = g Q: the norm k steps back is g^k exactly, down past 1e-300 (published-results.md)."""
    t = np.arange(2000)
    fit = fit_line(t, (t[-1] - t) * np.log10(g))
    assert fit.factor == pytest.approx(g, rel=1e-12)
    assert fit.horizon == (inf if g >= 1 else pytest.approx(-1 / np.log(g), rel=1e-9))


def test_saturating_lstm_forget_gate() -> None:
    """sigmoid(1)^100 = 2.48e-14: the cell path of an LSTM with forget bias 1 and no recurrent weights."""
    gate = 1 / (1 + np.exp(-1))
    t = np.arange(101)
    fit = fit_line(t, (100 - t) * np.log10(gate))
    assert 10 ** (fit.intercept) == pytest.approx(2.48e-14, rel=2e-3)
    assert fit.horizon == pytest.approx(-1 / np.log(gate))


def test_what_is_not_finite_is_left_out_and_counted() -> None:
    fit = fit_line([0, 1, 2, 3, 4, 5], [-inf, -inf, nan, -3.0, -2.0, -1.0])
    assert (fit.points, fit.left_out) == (3, 3)
    assert fit.slope == pytest.approx(1.0)


@pytest.mark.parametrize(("steps", "norms"), [([], []), ([3], [1.0]), ([0, 1], [-inf, 1.0]), ([2, 2], [1.0, 5.0])])
def test_too_few_steps_give_no_slope(steps: list[int], norms: list[float]) -> None:
    fit = fit_line(steps, norms)
    assert all(isnan(value) for value in (fit.slope, fit.horizon, fit.factor))


def test_far_steps_lose_no_digits() -> None:
    t = np.arange(1_000_000, 1_000_100)
    assert fit_line(t, 0.25 * t).slope == pytest.approx(0.25, rel=1e-10)


def test_horizon_and_factor_of_slopes() -> None:
    assert horizon([np.log10(np.e) / 7, 0.0, -0.1, nan]).tolist() == pytest.approx([7, inf, inf, nan], nan_ok=True)
    assert factor_per_step([0.0, 1.0, -1.0, nan]).tolist() == pytest.approx([1, 0.1, 10, nan], nan_ok=True)
    assert 10 ** (-float(horizon(0.05)) * 0.05) == pytest.approx(1 / np.e)


def test_steps_and_norms_must_match() -> None:
    with pytest.raises(ValueError, match="one norm a step"):
        fit_line([0, 1], [1.0])
