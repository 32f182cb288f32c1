"""The bound of Pascanu et al. (2013) holds, and is met where it must be."""

from __future__ import annotations

import math

import pytest
import torch
from cases import Noise, generator, orthogonal, still
from helpers import ACTIVATIONS, EPS64, random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import RNN, Parameters
from lrd.gradients.jacobian_bounds import GAMMA, log10_bounds
from lrd.gradients.jacobian_products import Products, jacobian_products, log10_singular_values
from lrd.shapes import Tensor

LAGS = [1, 3, 10]


def measured_and_bounds(cell: RNN, params: Parameters) -> tuple[Tensor, dict[str, Tensor], Products]:
    runs = len(params["W"])
    task = Noise(gap=LAGS[-1], features=params["U"].shape[-1])
    inputs = task.batch(torch.arange(runs), "probe", 0, 4).inputs.double()
    products = jacobian_products(cell, params, inputs, torch.full((runs, 4), LAGS[-1]), LAGS)
    assert products.slopes is not None
    return (
        log10_singular_values(cell, products)["whole"][..., 0],
        log10_bounds(cell, params["W"], LAGS, products.slopes),
        products,
    )


@settings(max_examples=60)
@given(st.sampled_from(sorted(ACTIVATIONS)), st.integers(1, 12), st.floats(0.01, 30), st.integers(0, 999))
def test_what_is_measured_never_exceeds_the_bounds(activation: str, size: int, scale: float, seed: int) -> None:
    """But for rounding: 10 products with 12 terms each and a singular value, relative, and sums of 10 logarithms."""
    cell = RNN(hidden_size=size, activation=activation)
    sigma, bounds, _ = measured_and_bounds(cell, random_parameters(cell, 2, 2, seed=seed, scale=scale))
    size = (bounds["bound"].abs() + bounds["bound_slopes"].abs()).nan_to_num(posinf=0.0)  # -inf: all units are dead
    rounding = 300 * EPS64 + 10 * EPS64 * size
    assert (sigma <= bounds["bound_slopes"] + rounding).all()
    assert (bounds["bound_slopes"] <= bounds["bound"] + rounding).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gamma_is_the_largest_derivative(activation: str) -> None:
    """On a grid that holds 0, where tanh and sigmoid are steepest."""
    a = torch.linspace(-5, 5, 1001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(ACTIVATIONS[activation](a).sum(), a)
    assert GAMMA[activation] == pytest.approx(slope.max().item(), rel=4 * EPS64)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_bound_is_met_by_an_orthogonal_matrix_at_the_steepest_point(activation: str) -> None:
    """Units that rest where f is steepest: at 0 for tanh, by biases at h = 1/2 for sigmoid and at h = 1 for relu."""
    w, rest = 1.5 * orthogonal(6)[None], {"sigmoid": 0.5, "relu": 1.0}.get(activation, 0.0)
    cell = RNN(hidden_size=6, activation=activation)
    bias = {"sigmoid": 0.0, "relu": 1.0}.get(activation, 0.0) - rest * w.sum(-1)
    params = still(w, bias)
    params["U"] = rest * w.sum(-1)[..., None]  # the first input does for the zero state what W h does afterwards
    inputs = torch.zeros(12, 1, 1, 1, dtype=torch.float64)
    inputs[0] = 1.0
    products = jacobian_products(cell, params, inputs, torch.full((1, 1), 11), LAGS)
    sigma = log10_singular_values(cell, products)["whole"][..., 0]
    assert products.slopes is not None
    for bound in log10_bounds(cell, w, LAGS, products.slopes).values():
        # States within rounding of that point, whose effect grows 1.5-fold a step; near the top it is of second order.
        torch.testing.assert_close(sigma, bound, rtol=0, atol=1e-12)
    expected = [lag * math.log10(1.5 * GAMMA[activation]) for lag in LAGS]
    assert sigma[:, 0, 0].tolist() == pytest.approx(expected, abs=1e-12)


def test_the_sharper_bound_is_the_product_of_the_largest_slopes() -> None:
    cell = RNN(hidden_size=4)
    params = random_parameters(cell, 2, 1, seed=5)
    inputs = torch.randn(11, 1, 4, 2, dtype=torch.float64, generator=generator(0))
    products = jacobian_products(cell, params, inputs, torch.full((1, 4), 10), LAGS)
    h, largest = torch.zeros(4, 4, dtype=torch.float64), []
    for x in inputs[:, 0]:
        h = torch.tanh(x @ params["U"][0].T + h @ params["W"][0].T + params["b"][0])
        largest.append((1 - h**2).amax(-1))
    for row, lag in enumerate(LAGS):
        expected = torch.stack(largest[11 - lag :]).log10().sum(0)
        assert products.slopes is not None
        torch.testing.assert_close(products.slopes[row, 0], expected, rtol=0, atol=1e-13)
