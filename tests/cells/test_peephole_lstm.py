"""The LSTM with peepholes against its equations, and against the LSTM that it is without them."""

from __future__ import annotations

import numpy as np
import torch
from draws import assert_all_close, draw, plain, sigmoid
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import LSTM, PeepholeLSTM

sizes = st.integers(1, 9)


@settings(max_examples=12)
@given(sizes, sizes, st.integers(0, 1000))
def test_step_is_its_equation(n: int, inputs: int, seed: int) -> None:
    cell = PeepholeLSTM(hidden_size=n)
    p, x, state = draw(cell, inputs, seed)
    u, w, b, peep, xs, hs, cs = plain((p["U"], p["W"], p["b"], p["P"], x, *state))
    i, f, g, o = (u[k * n : (k + 1) * n] @ xs + w[k * n : (k + 1) * n] @ hs + b[k * n : (k + 1) * n] for k in range(4))
    i, f = sigmoid(i + peep[:n] * cs), sigmoid(f + peep[n : 2 * n] * cs)
    c = f * cs + i * np.tanh(g)
    o = sigmoid(o + peep[2 * n :] * c)  # the output gate sees the new c, the others the old one
    assert_all_close(cell.step(p, x, state), [o * np.tanh(c), c])
    gates = cell.gates(p, x, state)
    assert list(gates) == ["input", "forget", "output"]
    assert_all_close(gates.values(), [i, f, o])


def test_without_peepholes_it_is_the_lstm() -> None:
    cell, without = PeepholeLSTM(hidden_size=4), LSTM(hidden_size=4)
    p, x, state = draw(cell, 3, 1)
    p["P"].zero_()
    assert_all_close(cell.step(p, x, state), without.step(p, x, state))


def test_a_cell_has_peepholes_to_its_own_gates_alone() -> None:
    cell = PeepholeLSTM(hidden_size=4)
    p, x, (h, c) = draw(cell, 3, 1)
    jacobian = torch.func.jacrev(lambda c: torch.stack(list(cell.gates(p, x, (h, c)).values())))(c)  # [gate, unit, c]
    off = jacobian * (1 - torch.eye(4))
    assert not off.any()
    assert bool((jacobian.diagonal(dim1=1, dim2=2) != 0).all())


def test_initial_weights() -> None:
    """Those of the LSTM, with small peepholes beside; none but where the initialiser is torch's."""
    mine, lstm = (kind(hidden_size=7).parameters(3, torch.Generator().manual_seed(2)) for kind in (PeepholeLSTM, LSTM))
    assert all(torch.equal(mine[name], lstm[name]) for name in lstm)
    assert mine["P"].shape == (21,)
    assert 0 < float(mine["P"].abs().max()) <= 7**-0.5
    assert not PeepholeLSTM(init="glorot").parameters(3, torch.Generator())["P"].any()
