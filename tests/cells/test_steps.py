"""One step of each cell, by NumPy and by torch's own cells; the readout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import EPS64, random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import LSTM, RNN, read
from lrd.cells.rnn import ACTIVATIONS, DERIVATIVES

NUMPY = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "identity": lambda a: a,
}
# Two dot products of up to 20 terms below 5 in size, then functions with slopes below 1.
CLOSE = {"rtol": 0.0, "atol": 40 * 5 * EPS64}
sizes = st.integers(1, 9)


def sample(cell: RNN | LSTM, inputs: int, seed: int) -> tuple[dict, torch.Tensor, tuple[torch.Tensor, ...]]:
    p = {name: value[0] for name, value in random_parameters(cell, inputs, 1, seed=seed).items()}
    generator = torch.Generator().manual_seed(seed + 1)
    state = torch.randn(len(cell.state_names), cell.hidden_size, dtype=torch.float64, generator=generator)
    return p, torch.randn(inputs, dtype=torch.float64, generator=generator), tuple(state)


@pytest.mark.parametrize("activation", NUMPY)
@settings(max_examples=15)
@given(sizes, sizes, st.integers(0, 1000))
def test_rnn_step_is_its_equation(activation: str, hidden: int, inputs: int, seed: int) -> None:
    cell = RNN(hidden_size=hidden, activation=activation)
    p, x, (h,) = sample(cell, inputs, seed)
    u, w, b = (p[name].numpy() for name in "UWb")
    expected = np.array([NUMPY[activation](u[j] @ x.numpy() + w[j] @ h.numpy() + b[j]) for j in range(hidden)])
    np.testing.assert_allclose(cell.step(p, x, (h,))[0], expected, **CLOSE)


@settings(max_examples=25)
@given(sizes, sizes, st.integers(0, 1000))
def test_lstm_step_is_its_equation(n: int, inputs: int, seed: int) -> None:
    cell = LSTM(hidden_size=n)
    p, x, (h, c) = sample(cell, inputs, seed)
    u, w, b, xs, hs, cs = (v.numpy() for v in (p["U"], p["W"], p["b"], x, h, c))
    i, f, g, o = (u[k * n : (k + 1) * n] @ xs + w[k * n : (k + 1) * n] @ hs + b[k * n : (k + 1) * n] for k in range(4))
    sigmoid = NUMPY["sigmoid"]
    new_c = sigmoid(f) * cs + sigmoid(i) * np.tanh(g)
    got_h, got_c = cell.step(p, x, (h, c))
    np.testing.assert_allclose(got_c, new_c, **CLOSE)
    np.testing.assert_allclose(got_h, sigmoid(o) * np.tanh(new_c), **CLOSE)
    gates = cell.gates(p, x, (h, c))
    assert list(gates) == ["input", "forget", "output"]
    for got, a in zip(gates.values(), (i, f, o), strict=True):
        np.testing.assert_allclose(got, sigmoid(a), **CLOSE)


@pytest.mark.parametrize("cell", [RNN(hidden_size=6), RNN(hidden_size=6, activation="relu"), LSTM(hidden_size=6)])
def test_step_is_that_of_torch(cell: RNN | LSTM) -> None:
    p, x, state = sample(cell, 3, 7)
    if isinstance(cell, LSTM):
        theirs = torch.nn.LSTMCell(3, 6, dtype=torch.float64)
    else:
        theirs = torch.nn.RNNCell(3, 6, nonlinearity=cell.activation, dtype=torch.float64)
    values = {"weight_ih": p["U"], "weight_hh": p["W"], "bias_ih": p["b"] / 4, "bias_hh": p["b"] * 3 / 4}
    theirs.load_state_dict(values)
    before = tuple(s[None] for s in state)
    out = theirs(x[None], before if isinstance(cell, LSTM) else before[0])
    for mine, other in zip(cell.step(p, x, state), out if isinstance(cell, LSTM) else (out,), strict=True):
        torch.testing.assert_close(mine, other[0], **CLOSE)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_from_the_state_is_autograds(name: str) -> None:
    # 0 is among them: relu's derivative there is 0, torch's choice.
    a = torch.linspace(-4, 4, 33, dtype=torch.float64, requires_grad=True)
    h = ACTIVATIONS[name](a)
    (slope,) = torch.autograd.grad(h.sum(), a)
    torch.testing.assert_close(DERIVATIVES[name](h.detach()), slope, rtol=0, atol=2 * EPS64)


@pytest.mark.parametrize("run_major", [True, False])
def test_readout_is_a_matrix_product_of_each_run(run_major: bool) -> None:
    cell = RNN(hidden_size=5)
    p = random_parameters(cell, 2, 3, outputs=4)
    h = torch.randn(3, 7, 2, 5, dtype=torch.float64).transpose(0, 1)
    y = read(p, h if run_major else h.contiguous())
    expected = torch.einsum("srbh,roh->srbo", h, p["V"]) + p["V_bias"][None, :, None]
    assert y.shape == (7, 3, 2, 4)
    torch.testing.assert_close(y, expected, **CLOSE)


def test_readout_of_one_step_one_sample_one_unit() -> None:
    p = random_parameters(RNN(hidden_size=1), 1, 1, outputs=1)
    h = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    assert float(read(p, h)) == pytest.approx(0.5 * float(p["V"]) + float(p["V_bias"]), rel=1e-15)
