"""The attentive RNN's backward pass beside autograd of its own step."""

from __future__ import annotations

import pytest
import torch
from helpers import EPS64
from scans import drawn, noise

from lrd.cells import State
from lrd.cells.attentive import Attentive
from lrd.gradients.adjoint import Adjoint, AttentiveAdjoint, adjoint

CELL = Attentive(hidden_size=4, memory=9)
RUNS, BATCH, TIME = 2, 3, 8
CLOSE = {"rtol": 0.0, "atol": 500 * EPS64}  # states of a few steps, then some ten products of 4 to 8 terms


@pytest.fixture
def both() -> tuple[AttentiveAdjoint, Adjoint]:
    params, x = drawn(CELL, 2, RUNS), noise(TIME, RUNS, BATCH, 2, seed=7)
    return AttentiveAdjoint(CELL, params, x), Adjoint(CELL, params, x)


def arriving(seed: int) -> State:
    sizes = (4, 36)
    return *(noise(RUNS, BATCH, size, seed=seed + k) for k, size in enumerate(sizes)), torch.zeros(
        RUNS, BATCH, 1
    ).double()


@pytest.mark.parametrize("t", [0, 1, 4, TIME - 1])
def test_pull_is_that_of_autograd(both: tuple[AttentiveAdjoint, Adjoint], t: int) -> None:
    fast, plain = both
    torch.testing.assert_close(fast.h, plain.h, **CLOSE)
    grads = arriving(t)
    kept = [g.clone() for g in grads]
    for mine, theirs in zip(fast.pull(t, grads), plain.pull(t, grads), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, **CLOSE)
    assert all(torch.equal(a, b) for a, b in zip(grads, kept, strict=True))


@pytest.mark.parametrize("t", [0, 1, TIME - 1])
def test_partials_are_those_of_autograd(both: tuple[AttentiveAdjoint, Adjoint], t: int) -> None:
    fast, plain = (tape.partials(t, arriving(5)) for tape in both)
    assert fast.keys() == plain.keys() == {"U", "W", "b", "P", "Q", "R"}
    for name, (left, right) in fast.items():
        whole = left if right is None else torch.einsum("rbi,rbj->rbij", left, right).flatten(2)
        torch.testing.assert_close(whole, plain[name][0], **CLOSE)


def test_a_cell_that_forgets_goes_back_by_its_own_step() -> None:
    x = noise(TIME, RUNS, BATCH, 2)
    kinds = {m: type(adjoint(c := Attentive(hidden_size=4, memory=m), drawn(c, 2, RUNS), x)) for m in (6, 7)}
    assert kinds == {6: Adjoint, 7: AttentiveAdjoint}


def test_runs_are_as_if_alone_bit_for_bit(both: tuple[AttentiveAdjoint, Adjoint]) -> None:
    fast, _ = both
    for run in range(RUNS):
        only = slice(run, run + 1)
        alone = AttentiveAdjoint(CELL, {n: p[only] for n, p in fast.params.items()}, fast.inputs[:, only].clone())
        assert torch.equal(alone.h, fast.h[:, only])
        grads = arriving(2)
        pulled, mine = fast.pull(5, grads), alone.pull(5, tuple(g[only] for g in grads))
        assert all(torch.equal(a[only], b) for a, b in zip(pulled[1], mine[1], strict=True))
