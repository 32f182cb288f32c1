"""Jacobians of single steps: by autograd against differences, closed forms against autograd."""

from __future__ import annotations

import math

import pytest
import torch
from cases import LeakyRNN, Traced, generator, still
from helpers import CELLS as BUILT_IN
from helpers import EPS64, one, random_parameters

from lrd.cells import LSTM, RNN, Cell, Parameters
from lrd.gradients.step_jacobians import Linearisation, linearise
from lrd.kernels import loop
from lrd.shapes import Tensor

CELLS = BUILT_IN | {"leaky": LeakyRNN(hidden_size=5), "traced": Traced(hidden_size=4)}
TIME, RUNS, BATCH = 6, 2, 3


def setting(cell: Cell) -> tuple[Parameters, Tensor, tuple[Tensor, ...]]:
    params = random_parameters(cell, 2, RUNS)
    inputs = torch.randn(TIME, RUNS, BATCH, 2, dtype=torch.float64, generator=generator(1))
    state = tuple(torch.randn(RUNS, BATCH, n, dtype=torch.float64, generator=generator(2)) for n in cell.state_sizes())
    return params, inputs, state


@pytest.mark.parametrize("cell", CELLS)
def test_against_central_differences(cell: str) -> None:
    """Steps of d = 1e-5: an error of about d^2 / 6 = 2e-11 from the third derivatives, and eps / d = 2e-11."""
    kind, d = CELLS[cell], 1e-5
    params, inputs, state = setting(kind)
    steps, _ = linearise(kind, params, inputs, state)
    got = steps.jacobians(0, TIME)
    states = [state, *loop.unroll(kind, params, inputs, state)]
    for t in range(TIME):
        for run in range(RUNS):
            for sample in range(BATCH):
                flat = torch.cat([variable[run, sample] for variable in states[t]])

                def step(at: Tensor, t: int = t, run: int = run, sample: int = sample) -> Tensor:
                    split = at.split(kind.state_sizes())
                    return torch.cat(kind.step(one(params, run), inputs[t, run, sample], split))

                plain = torch.stack(
                    [(step(flat + d * e) - step(flat - d * e)) / (2 * d) for e in torch.eye(len(flat)).double()], dim=1
                )
                torch.testing.assert_close(got[t, run, sample], plain, rtol=0, atol=1e-9)


@pytest.mark.parametrize("cell", BUILT_IN)
def test_closed_forms_are_the_generic_ones(cell: str) -> None:
    """Sums of a dozen terms near 1, each off by a few eps, after 6 steps of states in another order of sums."""
    kind = CELLS[cell]
    fast, end = linearise(kind, *setting(kind))
    slow, slow_end = Linearisation.along(kind, *setting(kind))
    assert type(fast) is not Linearisation
    close = {"rtol": 0, "atol": 500 * EPS64}
    torch.testing.assert_close(end, slow_end, **close)
    torch.testing.assert_close(fast.jacobians(1, TIME - 1), slow.jacobians(1, TIME - 1), **close)
    size = sum(kind.state_sizes())
    rows = torch.randn(RUNS, BATCH, 4, size, dtype=torch.float64, generator=generator(3))
    order = torch.tensor([[2, 5, 0], [1, 1, 3]]).expand(2, RUNS, BATCH)
    for a, b in ((fast, slow), (fast.at(order), slow.at(order))):
        for t in (0, 1):
            torch.testing.assert_close(a.push(t, rows), b.push(t, rows), **close)
            torch.testing.assert_close(a.pull(t, rows), b.pull(t, rows), **close)


@pytest.mark.parametrize("chunk_bytes", [1, 2**25])
@pytest.mark.parametrize("cell", CELLS)
def test_push_and_pull_are_products_with_the_jacobian(
    cell: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrd.gradients.step_jacobians._CHUNK_BYTES", chunk_bytes)
    kind = CELLS[cell]
    steps, _ = linearise(kind, *setting(kind))
    rows = torch.randn(RUNS, BATCH, 4, sum(kind.state_sizes()), dtype=torch.float64, generator=generator(3))
    jacobians = steps.jacobians(0, TIME)
    for t in (0, 3, 1, TIME - 1):
        close = {"rtol": 0, "atol": 300 * EPS64}  # ten terms of a few units, in another order
        torch.testing.assert_close(steps.push(t, rows), rows @ jacobians[t].transpose(-1, -2), **close)
        torch.testing.assert_close(steps.pull(t, rows), rows @ jacobians[t], **close)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_of_each_sample_in_any_order(cell: str) -> None:
    kind = CELLS[cell]
    steps, _ = linearise(kind, *setting(kind))
    order = torch.tensor([[[2, 5, 0], [1, 1, 3]], [[0, 0, 4], [5, 2, 2]]])
    chosen, every = steps.at(order).jacobians(0, 2), steps.jacobians(0, TIME)
    for j in range(2):
        for run in range(RUNS):
            for sample in range(BATCH):
                expected = every[order[j, run, sample], run, sample]
                torch.testing.assert_close(chosen[j, run, sample], expected, rtol=0, atol=20 * EPS64)


@pytest.mark.parametrize("cell", CELLS)
def test_in_two_pieces_or_at_once(cell: str) -> None:
    kind = CELLS[cell]
    params, inputs, state = setting(kind)
    whole, end = linearise(kind, params, inputs, state)
    _, between = linearise(kind, params, inputs[:2], state)
    second, second_end = linearise(kind, params, inputs[2:], between)
    close = {"rtol": 0, "atol": 300 * EPS64}
    torch.testing.assert_close(second.jacobians(0, TIME - 2), whole.jacobians(2, TIME), **close)
    torch.testing.assert_close(second_end, end, **close)


@pytest.mark.parametrize("a", [0.5, 30.0, 300.0])
def test_slopes_of_saturated_units(a: float) -> None:
    """4 / (e^a + e^-a)^2 for tanh, where 1 - tanh(a)^2 is 0 from a = 19 on; the same for the LSTM's gates and cell."""
    p = {"U": torch.zeros(1, 1, 1), "W": torch.full((1, 1, 1), 0.5), "b": torch.full((1, 1), a)}
    p = {name: value.double() for name, value in p.items()}
    x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    tanh = 4 * math.exp(-2 * a) / (1 + math.exp(-2 * a)) ** 2
    sigmoid = math.exp(-a) / (1 + math.exp(-a)) ** 2
    for name, slope in (("tanh", tanh), ("sigmoid", sigmoid)):
        got = linearise(RNN(hidden_size=1, activation=name), p, x)[0].jacobians(0, 1)
        assert got.item() == pytest.approx(0.5 * slope, rel=10 * EPS64 * max(1.0, a))  # e^-a knows a to eps a
    gates = {"U": torch.zeros(1, 4, 1), "W": torch.full((1, 4, 1), 0.5), "b": torch.tensor([[a, a, a, -a]])}
    gates = {name: value.double() for name, value in gates.items()}
    got = linearise(LSTM(hidden_size=1), gates, x)[0].jacobians(0, 1)[0, 0, 0]
    open_, shut, c = 1 / (1 + math.exp(-a)), math.exp(-a) / (1 + math.exp(-a)), math.tanh(a) / (1 + math.exp(-a))
    c_by_h = 0.5 * (math.tanh(a) * sigmoid + open_ * tanh)  # c_0 = 0, so that f does nothing
    c_to_h = shut * 4 * math.exp(-2 * c) / (1 + math.exp(-2 * c)) ** 2
    expected = [[0.5 * sigmoid * math.tanh(c) + c_to_h * c_by_h, c_to_h * open_], [c_by_h, open_]]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=20 * EPS64 * max(1.0, a), atol=0)


def test_a_relu_that_left_the_range_of_floats_has_no_slope() -> None:
    w = torch.tensor([[[2e200, -1e200], [2e200, 1e200]]], dtype=torch.float64)
    x = torch.zeros(5, 1, 1, 1, dtype=torch.float64)
    steps, _ = linearise(RNN(hidden_size=2, activation="relu"), still(w, 1.0), x)
    assert steps.jacobians(0, 1).isfinite().all()
    assert steps.jacobians(4, 5).isnan().any()


@pytest.mark.parametrize("cell", BUILT_IN)
@pytest.mark.parametrize("hidden", [1, 5, 32])
def test_companions_do_not_matter(cell: str, hidden: int) -> None:
    kind = type(BUILT_IN[cell])(**{**vars(BUILT_IN[cell]), "hidden_size": hidden})
    params, inputs, state = setting(kind)
    together, _ = linearise(kind, params, inputs, state)
    rows = torch.randn(RUNS, BATCH, 3, sum(kind.state_sizes()), dtype=torch.float64, generator=generator(3))
    for run in range(RUNS):
        only = slice(run, run + 1)
        mine = {name: value[only] for name, value in params.items()}
        alone, _ = linearise(kind, mine, inputs[:, only], tuple(s[only] for s in state))
        assert torch.equal(alone.jacobians(0, TIME), together.jacobians(0, TIME)[:, only])
        assert torch.equal(alone.push(TIME - 1, rows[only]), together.push(TIME - 1, rows)[only])
        assert torch.equal(alone.pull(TIME - 1, rows[only]), together.pull(TIME - 1, rows)[only])
