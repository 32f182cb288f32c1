"""Horizon and factor of a slope, by their closed forms."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from lrd.gradients.rates import factor_per_step, horizon


@pytest.mark.parametrize("g", [0.5, 0.9, 1.0, 1.1])
def test_scaled_orthogonal_matrix_has_factor_g(g: float) -> None:
    """W = g Q: the norm k steps back is g^k exactly, so that its slope over t is -log10 g."""
    assert float(factor_per_step(-np.log10(g))) == pytest.approx(g, rel=1e-12)
    assert float(horizon(-np.log10(g))) == (inf if g >= 1 else pytest.approx(-1 / np.log(g), rel=1e-9))


def test_horizon_and_factor_of_slopes() -> None:
    assert horizon([np.log10(np.e) / 7, 0.0, -0.1, nan]).tolist() == pytest.approx([7, inf, inf, nan], nan_ok=True)
    assert factor_per_step([0.0, 1.0, -1.0, nan]).tolist() == pytest.approx([1, 0.1, 10, nan], nan_ok=True)
    assert 10 ** (-float(horizon(0.05)) * 0.05) == pytest.approx(1 / np.e)
