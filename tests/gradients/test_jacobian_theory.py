"""Singular values of Jacobian products against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import FreshGaussian, LeakyRNN, Noise, Traced, generator, orthogonal, still
from helpers import CELLS as BUILT_IN
from helpers import EPS64, random_parameters

from lrd.cells import LSTM, RNN, Cell, Parameters
from lrd.gradients.jacobian_products import Products, jacobian_products, log10_singular_values

CELLS = BUILT_IN | {"leaky": LeakyRNN(hidden_size=5), "traced": Traced(hidden_size=4)}
LINEAR = {"activation": "identity"}


def quiet(cell: Cell, params: Parameters, lags: list[int]) -> Products:
    """The products of every run for one sample without input."""
    runs = len(params["W"])
    inputs = torch.zeros(lags[-1] + 1, runs, 1, 1, dtype=torch.float64)
    return jacobian_products(cell, params, inputs, torch.full((runs, 1), lags[-1]), lags)


@pytest.mark.parametrize("g", [1e-150, 0.6, 1.0, 1.5, 1e150])
def test_linear_network_with_an_orthogonal_matrix(g: float) -> None:
    """W = g Q: every singular value is g^lag, from 1e-30000 to 1e+30000; a product of 8 terms is off by 8 eps."""
    lags = [1, 7, 200]
    sigma = log10_singular_values(
        RNN(hidden_size=8, **LINEAR), quiet(RNN(hidden_size=8, **LINEAR), still(g * orthogonal(8)[None]), lags)
    )
    assert set(sigma) == {"whole"}
    for row, lag in enumerate(lags):
        expected = lag * math.log10(g)
        got = sigma["whole"][row, 0, 0].numpy()
        np.testing.assert_allclose(got, expected, rtol=4 * EPS64, atol=16 * EPS64 * (lag + 1))


def test_linear_network_of_a_rotation_and_a_decay() -> None:
    """Of W = Q diag(.9 R(1), .5) Q^T the singular values of the power k are .9^k, .9^k, .5^k."""
    block = torch.zeros(3, 3, dtype=torch.float64)
    c, s = 0.9 * math.cos(1.0), 0.9 * math.sin(1.0)
    block[0, 0], block[0, 1], block[1, 0], block[1, 1], block[2, 2] = c, -s, s, c, 0.5
    q = orthogonal(3)
    lags = [1, 5, 20, 45, 90]
    cell = RNN(hidden_size=3, **LINEAR)
    sigma = log10_singular_values(cell, quiet(cell, still((q @ block @ q.T)[None]), lags))["whole"][:, 0, 0]
    for row, lag in enumerate(lags):
        largest, smallest = lag * math.log10(0.9), lag * math.log10(0.5)
        np.testing.assert_allclose(sigma[row, :2], largest, rtol=0, atol=10 * EPS64 * lag)
        if lag * EPS64 < (0.5 / 0.9) ** lag:  # what rounding errors of 10 eps a step are to the smallest one
            assert sigma[row, 2].item() == pytest.approx(smallest, abs=10 * lag * EPS64 * (0.9 / 0.5) ** lag)
        else:
            assert sigma[row, 2].isnan()
    assert sigma[:, 2].isnan().tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("lag", [1, 3, 9, 40])
def test_what_cannot_be_resolved_is_not_given(lag: int) -> None:
    """W = H diag(1, 1/2, ..., 1/128) H / 8, H of Hadamard, is exact in float64; its powers have 2^-(i lag).

    By Weyl's inequality each is off by no more than the errors of the product: lag products of norm 1, 8 terms each.
    """
    h = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(3):
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    w = h @ torch.diag(2.0 ** -torch.arange(8).double()) @ h / 8
    cell = RNN(hidden_size=8, **LINEAR)
    sigma = log10_singular_values(cell, quiet(cell, still(w[None]), [lag]))["whole"][0, 0, 0]
    exact = 2.0 ** (-lag * torch.arange(8).double())
    error = 8 * lag * EPS64
    resolved = ~sigma.isnan()
    torch.testing.assert_close(10 ** sigma[resolved], exact[resolved], rtol=50 * EPS64, atol=error)
    assert resolved[exact > 2 * error].all()
    assert not resolved[exact < max(lag, 8) * EPS64 / 16].any()
    assert resolved.sum() < 8 or lag < 9


def test_the_same_gaussian_matrix_at_every_step() -> None:
    """Against numpy's powers, whose rounding errors are of another order; N = 100, as in the published numbers."""
    w = torch.randn(1, 100, 100, dtype=torch.float64, generator=generator(3)) / 10
    lags = [1, 10, 20, 40]
    cell = RNN(hidden_size=100, **LINEAR)
    sigma = log10_singular_values(cell, quiet(cell, still(w), lags))["whole"][:, 0, 0].numpy()
    for row, lag in enumerate(lags):
        expected = np.linalg.svd(np.linalg.matrix_power(w[0].numpy(), lag), compute_uv=False)
        kept = ~np.isnan(sigma[row])
        np.testing.assert_allclose(10 ** sigma[row][kept], expected[kept], rtol=1e-12, atol=300 * EPS64 * expected[0])
        assert (expected[~kept] < 200 * EPS64 * expected[0]).all()


def test_a_fresh_gaussian_matrix_at_every_step() -> None:
    """E sum sigma^2 / N = g^(2k), at 5 standard errors of the mean over 400 samples, themselves measured."""
    g, lags, samples = 1.3, [1, 2, 4, 8], 400
    cell = FreshGaussian(hidden_size=12, gain=g)
    inputs = Noise(gap=8, features=144).batch(torch.tensor([0]), "probe", 0, samples).inputs.double()
    products = jacobian_products(cell, {"unused": torch.zeros(1)}, inputs, torch.full((1, samples), 8), lags)
    squares = (100 ** log10_singular_values(cell, products)["whole"][:, 0].nan_to_num(-math.inf)).sum(-1) / 12
    for lag, values in zip(lags, squares, strict=True):
        error = values.std().item() / samples**0.5
        assert values.mean().item() == pytest.approx(g ** (2 * lag), abs=5 * error)
        assert error < 0.1 * g ** (2 * lag)


@pytest.mark.parametrize("forget", [1.0, 5.0])
def test_lstm_without_recurrence_keeps_the_product_of_its_forget_gates(forget: float) -> None:
    """dc_t / dc_{t-100}: sigmoid(1)^100 = 2.48e-14, sigmoid(5)^100 = .511; nothing else arrives but at h_T from c."""
    cell = LSTM(hidden_size=3)
    bias = torch.tensor([0.3, forget, 0.4, 0.2], dtype=torch.float64).repeat_interleave(3)[None]
    sigma = log10_singular_values(cell, quiet(cell, still(torch.zeros(1, 12, 3), bias), [1, 100]))
    assert set(sigma) == {"whole", "h->h", "h->c", "c->h", "c->c"}
    c = sigma["c->c"][:, 0, 0]
    assert 10 ** c[1, 0].item() == pytest.approx({1.0: 2.48e-14, 5.0: 0.511}[forget], rel=2e-3, abs=0)
    for row, lag in enumerate([1, 100]):
        expected = -lag * math.log10(1 + math.exp(-forget))
        np.testing.assert_allclose(c[row], expected, rtol=0, atol=4 * lag * EPS64)
    assert sigma["h->h"].isneginf().all()
    assert sigma["h->c"].isneginf().all()
    assert sigma["c->h"].isfinite().all()
    assert sigma["whole"][..., :3].isfinite().all()
    assert sigma["whole"][..., 3:].isnan().all()  # 0 in truth; float64 cannot tell it from a small number


def test_lstm_without_recurrence_and_with_inputs() -> None:
    """The forget gates' products, unit by unit, from the inputs alone."""
    cell, lags = LSTM(hidden_size=4), [1, 5, 20]
    params = random_parameters(cell, 2, 1)
    params["W"] = torch.zeros_like(params["W"])
    inputs = torch.randn(21, 1, 3, 2, dtype=torch.float64, generator=generator(1))
    products = jacobian_products(cell, params, inputs, torch.full((1, 3), 20), lags)
    sigma = log10_singular_values(cell, products)["c->c"]
    f = torch.sigmoid(inputs[:, 0] @ params["U"][0, 4:8].T + params["b"][0, 4:8])
    for row, lag in enumerate(lags):
        expected = f[21 - lag :].log10().sum(0).sort(-1, descending=True).values
        resolved = ~sigma[row, 0].isnan()
        assert resolved[:, 0].all()
        torch.testing.assert_close(sigma[row, 0][resolved], expected[resolved], rtol=0, atol=1e-10)


def test_saturated_units_vanish_beyond_the_range_of_floats() -> None:
    """tanh at a = 100: slopes of 4 e^-200; over 10 steps 1e-863."""
    w = 0.001 * orthogonal(4)[None]
    cell = RNN(hidden_size=4)
    sigma = log10_singular_values(cell, quiet(cell, still(w, 100.0), [1, 10]))["whole"][:, 0, 0]
    # a differs from 100 by W h, known to 1e-14; each of 10 steps is then off by 2e-14 relative, in nats.
    at_rest = 100.0 + w[0].sum(-1)
    per_step = torch.diag(4 * torch.exp(-2 * (at_rest - 100.0))) @ w[0]
    power = torch.linalg.matrix_power(per_step, 10)
    expected = torch.linalg.svdvals(power).log10() - 10 * 200 * math.log10(math.e)
    assert expected[0] < -860
    torch.testing.assert_close(sigma[1], expected, rtol=0, atol=1e-11)


def test_a_state_that_leaves_the_range_of_floats() -> None:
    w = torch.tensor([[[2e200, -1e200], [2e200, 1e200]], [[0.5, 0.1], [0.1, 0.5]]], dtype=torch.float64)
    cell = RNN(hidden_size=2, activation="relu")
    sigma = log10_singular_values(cell, quiet(cell, still(w, 1.0), [3]))["whole"][0]
    assert sigma[0].isposinf().all()
    assert sigma[1].isfinite().all()
