"""Leading exponents of random networks: published values, an independent quadrature, limits, a simulation."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log, pi, sqrt, tanh

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from lrd.stats.mean_field import leading_exponent, tanh_variance


def expected(value: Callable[[float], float]) -> float:
    """Mean over a standard normal by adaptive quadrature."""

    def weighted(z: float) -> float:
        return value(z) * exp(-z * z / 2) / sqrt(2 * pi)

    halves = [(-12.0, 0.0), (0.0, 12.0)]
    return float(sum(quad(weighted, *half, epsabs=1e-14, epsrel=1e-13, limit=400)[0] for half in halves))


@pytest.mark.parametrize(("gain", "published"), [(1.5, 0.0652), (3.0, 0.3103)])
def test_tanh_is_the_published_value(gain: float, published: float) -> None:
    assert float(leading_exponent("tanh", gain)) == pytest.approx(published, abs=1e-4)  # a unit of the last digit given


@pytest.mark.parametrize("gain", [1.001, 1.1, 1.5, 3.0, 10.0, 50.0])
def test_tanh_is_what_adaptive_quadrature_gives(gain: float) -> None:
    def surplus(q: float) -> float:
        return gain**2 * expected(lambda z: tanh(sqrt(q) * z) ** 2) - q

    q = brentq(surplus, (1 - gain**-2) / 4, gain**2, xtol=1e-14)
    chi = gain**2 * expected(lambda z: (1 - tanh(sqrt(q) * z) ** 2) ** 2)
    assert tanh_variance(gain) == pytest.approx(q, rel=1e-9)
    assert float(leading_exponent("tanh", gain)) == pytest.approx(log(chi) / 2, abs=1e-11)


def test_tanh_begins_as_its_series_does() -> None:
    """tanh(x)^2 = x^2 - 2 x^4 / 3 + ..: q = (1 - 1/g^2) / 2 to first order, and the exponent is of second order."""
    e = 1e-4
    assert tanh_variance(1 + e) == pytest.approx(e, rel=1e-2)
    assert 0 < float(leading_exponent("tanh", 1 + e)) < e * e
    assert tanh_variance(1.0) == tanh_variance(0.3) == 0.0


def test_linear_pieces() -> None:
    gains = np.array([0.5, 1.0, 2.5])
    np.testing.assert_allclose(leading_exponent("identity", gains), np.log(gains), rtol=1e-15)
    np.testing.assert_allclose(leading_exponent("relu", gains), np.log(gains) - log(2) / 2, rtol=1e-14)
    np.testing.assert_allclose(leading_exponent("tanh", [0.25, 1.0]), [log(0.25), 0.0])
    for activation in ("identity", "relu", "tanh"):
        assert leading_exponent(activation, [[0.0]]).tolist() == [[-inf]]


def test_exponents_grow_with_the_gain() -> None:
    gains = np.linspace(0.01, 50, 60)
    for activation in ("identity", "relu", "tanh"):
        rates = leading_exponent(activation, gains)
        assert (np.diff(rates) >= 0).all()
    assert (leading_exponent("tanh", gains) <= leading_exponent("identity", gains)).all()


def test_tanh_is_near_what_a_large_network_does() -> None:
    """One matrix of 400 units at g = 3, 300 steps: single ones were seen to lie 0.01 lower with a deviation of 0.005,
    of which five are allowed for."""
    rng = np.random.default_rng(3)
    size, gain, steps = 400, 3.0, 300
    w = gain * rng.normal(size=(size, size)) / sqrt(size)
    h, tangent, total = rng.normal(size=size), rng.normal(size=size), 0.0
    for step in range(100 + steps):
        h = np.tanh(w @ h)
        tangent = (1 - h * h) * (w @ tangent)
        length = float(np.linalg.norm(tangent))
        tangent /= length
        total += log(length) if step >= 100 else 0.0
    assert total / steps == pytest.approx(float(leading_exponent("tanh", gain)), abs=0.035)


def test_what_has_no_theory_is_named() -> None:
    with pytest.raises(ValueError, match=r"no mean field for 'sigmoid'; there is one for identity, relu, tanh"):
        leading_exponent("sigmoid", 1.0)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        leading_exponent("tanh", [1.0, -1.0])
