"""The GRU against its equations, torch's own and its laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from draws import CLOSE, assert_all_close, draw, plain, sigmoid
from helpers import one, random_like
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.cells import GRU
from lrd.kernels import KERNELS, choose_kernel

sizes = st.integers(1, 9)


@settings(max_examples=12)
@given(sizes, sizes, st.integers(0, 1000))
def test_step_is_its_equation(n: int, inputs: int, seed: int) -> None:
    cell = GRU(hidden_size=n)
    p, x, (h,) = draw(cell, inputs, seed)
    u, w, b, d, xs, hs = plain((p["U"], p["W"], p["b"], p["d"], x, h))
    block = [slice(k * n, (k + 1) * n) for k in range(3)]
    r, z = (sigmoid(u[k] @ xs + w[k] @ hs + b[k]) for k in block[:2])
    candidate = np.tanh(u[block[2]] @ xs + b[block[2]] + r * (w[block[2]] @ hs + d))
    assert_all_close(cell.step(p, x, (h,)), [(1 - z) * candidate + z * hs])
    gates = cell.gates(p, x, (h,))
    assert list(gates) == ["reset", "update"]
    assert_all_close(gates.values(), [r, z])


def test_sequences_are_those_of_torch() -> None:
    cell, time, batch = GRU(hidden_size=5), 6, 3
    params = random_like(cell, 2, 1, seed=3)
    theirs, p = torch.nn.GRU(2, 5, dtype=torch.float64), one(params, 0)
    zeros = torch.zeros(10, dtype=torch.float64)
    weights = (p["U"], p["W"], p["b"], torch.cat([zeros, p["d"]]))
    theirs.load_state_dict(
        dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), weights, strict=True))
    )
    x = torch.randn(time, 1, batch, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    expected, last = theirs(x[:, 0])
    for kernel in ("loop", "traced", "stock_gru"):
        h, (mine,) = KERNELS[kernel].scan(cell, params, x, None, 0)
        # Errors of six steps, each with a Lipschitz constant of order 1.
        torch.testing.assert_close(h[:, 0], expected, rtol=0, atol=10 * CLOSE["atol"])
        torch.testing.assert_close(mine, last, rtol=0, atol=10 * CLOSE["atol"])


def test_kernel() -> None:
    assert choose_kernel(GRU()) == "numba_gru"


def test_the_initialiser_torch_draws_what_torch_draws() -> None:
    """All uniform in +-1/sqrt(hidden); where r and z have the sum of two biases, n has one on each side of r."""
    n, bound = 400, 1 / 20
    p = GRU(hidden_size=n).parameters(30, torch.Generator().manual_seed(0))
    uniform = [p["U"].flatten(), p["W"][:, :30].flatten(), p["b"][2 * n :], p["d"]]
    for values in uniform:
        assert stats.kstest(values.double().numpy(), "uniform", (-bound, 2 * bound)).pvalue > 1e-4
    assert stats.kstest(p["b"][: 2 * n].numpy(), "triang", (0.5, -2 * bound, 4 * bound)).pvalue > 1e-4


def test_biases_of_the_gate_that_keeps() -> None:
    n = 6
    b = GRU(hidden_size=n, init="glorot", forget_bias=2.0).parameters(1, torch.Generator())["b"]
    assert b.tolist() == [0.0] * n + [2.0] * n + [0.0] * n
    b = GRU(hidden_size=n, init="glorot", chrono=50).parameters(1, torch.Generator())["b"]
    assert not b[:n].any()
    assert not b[2 * n :].any()
    # sigmoid(b_z) = 1 - 1/(1 + u): a time constant of 1 + u in (2, T_max) steps.
    time_constants = 1 / (1 - torch.sigmoid(b[n : 2 * n].double()))
    assert bool(((time_constants > 2 - 1e-5) & (time_constants < 50 + 1e-3)).all())


@pytest.mark.parametrize("update", [-30.0, 30.0])
def test_an_update_gate_of_one_keeps_and_of_zero_replaces(update: float) -> None:
    cell = GRU(hidden_size=3)
    p, x, (h,) = draw(cell, 2, 5)
    p["b"][3:6] = update
    p["W"][3:6] = p["U"][3:6] = 0
    (after,) = cell.step(p, x, (h,))
    far = float((after - h).abs().max())
    assert far < 1e-12 if update > 0 else far > 0.1
