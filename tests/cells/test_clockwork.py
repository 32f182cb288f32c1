"""The Clockwork RNN: who is updated when, who hears whom, and a step by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import EPS64
from scans import SHAPES, assert_no_companion_matters, drawn, noise

from lrd.cells import initialisers, prepared
from lrd.cells.clockwork import Clockwork
from lrd.kernels import loop

CELL = Clockwork(hidden_size=8, modules=3)
PERIODS = [1, 1, 1, 2, 2, 2, 4, 4]  # 8 units in 3 modules: the first ones have those that are left over


def states(cell: Clockwork, time: int, inputs: int = 2) -> tuple[dict, torch.Tensor, np.ndarray]:
    """One run's prepared parameters, its inputs [time, inputs] and its h after every step [time, hidden]."""
    p = prepared(cell, drawn(cell, inputs, 1))
    x = noise(time, 1, 1, inputs)
    unrolled = loop.unroll(cell, p, x)
    assert [float(clock) for _, clock in unrolled] == list(range(1, time + 1))
    h = torch.stack([state[0] for state in unrolled])
    return {name: value[0].numpy() for name, value in p.items()}, x[:, 0, 0].numpy(), h[:, 0, 0].numpy()


def test_steps_are_their_equations() -> None:
    p, x, h = states(CELL, 9)
    before = np.zeros(8)
    for t in range(9):
        expected = before.copy()
        for j, period in enumerate(PERIODS):
            if t % period == 0:
                heard = [k for k, other in enumerate(PERIODS) if other >= period]
                expected[j] = np.tanh(p["U"][j] @ x[t] + sum(p["W"][j, k] * before[k] for k in heard) + p["b"][j])
        np.testing.assert_allclose(h[t], expected, rtol=0, atol=50 * EPS64)
        before = h[t]


@pytest.mark.parametrize(("units", "modules"), [(8, 3), (64, 8), (5, 1), (3, 8)])
def test_a_module_moves_at_multiples_of_its_period_alone(units: int, modules: int) -> None:
    _, _, h = states(Clockwork(hidden_size=units, modules=modules), 20)
    moved = np.diff(np.concatenate([np.zeros((1, units)), h]), axis=0) != 0
    found = [tuple(np.flatnonzero(unit)) for unit in moved.T]
    sizes = [len(part) for part in np.array_split(np.arange(units), modules)]
    assert found == [tuple(range(0, 20, 2**module)) for module, size in enumerate(sizes) for _ in range(size)]


def test_w_is_upper_block_triangular_with_the_initialisers_entries() -> None:
    p = CELL.parameters(2, torch.Generator().manual_seed(3))
    w = CELL.prepare(p)["W"]
    hears = np.array([[to <= other for other in PERIODS] for to in PERIODS])
    assert not w.numpy()[~hears].any()
    assert w.numpy()[hears].all()
    assert p["R"].shape == (hears.sum(),)
    generator = torch.Generator().manual_seed(3)
    initialisers.dense("gaussian", 8, 2, 8, generator)
    whole = initialisers.recurrent("gaussian", 8, 1.0, generator)
    assert torch.equal(w, whole * torch.tensor(hears))


def test_one_module_is_the_vanilla_rnn() -> None:
    p, x, h = states(Clockwork(hidden_size=5, modules=1), 4)
    expected = np.zeros(5)
    for t in range(4):
        expected = np.tanh(p["U"] @ x[t] + p["W"] @ expected + p["b"])
        np.testing.assert_allclose(h[t], expected, rtol=0, atol=50 * EPS64)


def test_the_gradient_of_a_step_with_respect_to_w_has_no_entry_that_is_not_there() -> None:
    p = {name: value[0] for name, value in prepared(CELL, drawn(CELL, 2, 1)).items()}
    p["W"].requires_grad_()
    CELL.step(p, noise(2), (noise(8, seed=1), torch.zeros(1).double()))[0].sum().backward()
    hears = torch.tensor([[to <= other for other in PERIODS] for to in PERIODS])
    assert torch.equal(p["W"].grad != 0, hears)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, ...]) -> None:
    *sizes, hidden = shape
    assert_no_companion_matters(Clockwork(hidden_size=hidden, modules=4), tuple(sizes))
