"""The LSTM with coupled gates against its equations and its laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from draws import assert_all_close, draw, plain, sigmoid
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import CoupledLSTM

sizes = st.integers(1, 9)


@settings(max_examples=12)
@given(sizes, sizes, st.integers(0, 1000))
def test_step_is_its_equation(n: int, inputs: int, seed: int) -> None:
    cell = CoupledLSTM(hidden_size=n)
    p, x, state = draw(cell, inputs, seed)
    u, w, b, xs, hs, cs = plain((p["U"], p["W"], p["b"], x, *state))
    i, g, o = (u[k * n : (k + 1) * n] @ xs + w[k * n : (k + 1) * n] @ hs + b[k * n : (k + 1) * n] for k in range(3))
    i, o = sigmoid(i), sigmoid(o)
    c = (1 - i) * cs + i * np.tanh(g)
    assert_all_close(cell.step(p, x, state), [o * np.tanh(c), c])
    gates = cell.gates(p, x, state)
    assert list(gates) == ["input", "forget", "output"]
    assert_all_close(gates.values(), [i, 1 - i, o])


def test_a_cell_within_one_stays_there() -> None:
    """c is a mean of what it was and of a tanh, so that it cannot count beyond 1 as the LSTM's can."""
    cell = CoupledLSTM(hidden_size=5)
    p, _, state = draw(cell, 2, 0)
    state = (state[0], torch.tanh(state[1]))
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        state = cell.step(p, 3 * torch.randn(2, dtype=torch.float64, generator=generator), state)
        assert float(state[1].abs().max()) <= 1


@pytest.mark.parametrize("forget", [-2.0, 1.0])
def test_the_forget_bias_is_the_opposite_of_the_input_gates(forget: float) -> None:
    p = CoupledLSTM(hidden_size=3, init="glorot", forget_bias=forget).parameters(2, torch.Generator())
    assert p["b"].tolist() == [-forget] * 3 + [0.0] * 6
    cell = CoupledLSTM(hidden_size=3)
    zeros = {name: torch.zeros_like(v) for name, v in p.items()} | {"b": p["b"]}
    gates = cell.gates(zeros, torch.zeros(2), (torch.zeros(3), torch.zeros(3)))
    torch.testing.assert_close(gates["forget"], torch.sigmoid(torch.full((3,), forget)))


def test_chrono() -> None:
    b = CoupledLSTM(hidden_size=500, init="glorot", chrono=40).parameters(1, torch.Generator().manual_seed(0))["b"]
    assert not b[500:].any()
    u = torch.exp(-b[:500].double())  # uniform in (1, 39): mean 20, standard deviation 38/sqrt(12)
    assert float(u.min()) >= 1 - 1e-5
    assert float(u.max()) <= 39 + 1e-4
    assert float(u.mean()) == pytest.approx(20, abs=4 * 38 / 12**0.5 / 500**0.5)
