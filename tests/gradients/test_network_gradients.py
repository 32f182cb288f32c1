"""Gradients of the states of every layer, against a float64 loop of cells with autograd and against closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EPS32, EPS64, random_like
from reference import log10_norm, losses_of

from lrd.cells import (
    CELLS,
    FIRST,
    RNN,
    Cell,
    Parameters,
    Part,
    State,
    features,
    one_layer,
    parameters_of,
    parts_of,
    prepared,
)
from lrd.gradients import flow as flow_module
from lrd.gradients.adjoint import adjoint
from lrd.gradients.contributions import contributions_of_parts
from lrd.gradients.flow import gradient_flows
from lrd.gradients.network import NetworkTapes
from lrd.gradients.training_norms import norms_by_adjoint
from lrd.kernels import loop
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Copy, Task, VariableCopy

RUNS, SAMPLES, HIDDEN = 2, 3, 4
#: Each is a sum of some hundred products, whose error a few steps of these sizes let grow.
CLOSE = {"rtol": 0, "atol": 1e5 * EPS64}


def random_network(cell: Cell, inputs: int, outputs: int) -> Parameters:
    params = random_like(one_layer(cell), inputs, RUNS)
    for number, part in enumerate(parts_of(cell)[1:]):
        size = inputs if part.layer == 1 else features(cell)
        own = random_like(one_layer(cell), size, RUNS, seed=number + 1)
        params |= {part.name_of(name): value for name, value in own.items()}
    g = torch.Generator().manual_seed(9)
    return prepared(cell, params) | {
        "V": torch.randn(RUNS, outputs, features(cell), dtype=torch.float64, generator=g),
        "V_bias": torch.randn(RUNS, outputs, dtype=torch.float64, generator=g),
    }


def states_of(cell: Cell, params: Parameters, x: Tensor, dropout: Any = None) -> tuple[dict[Part, list[Any]], Tensor]:
    """The states of every part at every step in the order of time, of one run, and what the readout sees."""
    below, found = x[:, None], {}
    for layer in range(1, cell.layers + 1):
        of_parts = []
        for part in (part for part in parts_of(cell) if part.layer == layer):
            p = {name: value[None] for name, value in parameters_of(part, params).items()}
            steps = list(range(len(x)))[:: -1 if part.is_backward else 1]
            states: list[Any] = [None] * len(x)
            state = None
            for t in steps:
                (state,) = loop.unroll(one_layer(cell), p, below[t : t + 1], state)
                states[t] = state
            found[part] = states
            of_parts.append(torch.stack([state[0] for state in states]))
        below = torch.cat(of_parts, -1)
        if dropout is not None and layer < cell.layers:
            below = dropout(slice(None), layer, below)
    return found, below[:, 0]


def plain_flows(
    task: Task, cell: Cell, params: Parameters, batch: Batch, run: int
) -> dict[Part, dict[str, np.ndarray]]:
    """log10 norms [time, batch] of the last answer's gradient, by part and variable, by ``retain_grad``."""
    p = {name: value[run].detach().requires_grad_() for name, value in params.items()}
    x = batch.inputs[:, run].double()
    states, h = states_of(cell, p, x)
    for variable in (s for of_part in states.values() for state in of_part for s in state if s.requires_grad):
        variable.retain_grad()  # all but counters
    steps, start = task.answer_steps(batch, -1)[run], task.loss_steps.start
    losses = [
        (losses_of(task, p, h[t], batch.targets[t - start, run]) * (steps == t)).sum() for t in steps.unique().tolist()
    ]
    torch.stack(losses).sum().backward()
    variables = one_layer(cell).state_names
    return {
        part: {
            name: np.stack(
                [
                    log10_norm(torch.zeros_like(state[v]) if state[v].grad is None else state[v].grad)[0]
                    for state in of_part
                ]
            )
            for v, name in enumerate(variables)
        }
        for part, of_part in states.items()
    }


@pytest.mark.parametrize("task", [Copy(gap=3, items=2), VariableCopy(gap=4, items=2)], ids=lambda task: task.name)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_peephole", "clockwork", "attentive"])
def test_gradient_flow_of_every_layer_is_that_of_autograd(name: str, bidirectional: bool, task: Task) -> None:
    cell = CELLS[name](hidden_size=HIDDEN, layers=3, bidirectional=bidirectional).for_length(task.sequence_length)
    params = random_network(cell, task.input_size, task.output_size)
    batch = task.batch(torch.arange(RUNS), "probe", 0, SAMPLES)
    batch = Batch(batch.inputs.double(), batch.targets, batch.weights)
    flows = gradient_flows(task, cell, params, batch)
    assert tuple(flow.part for flow in flows) == parts_of(cell)
    for run in range(RUNS):
        expected = plain_flows(task, cell, params, batch, run)
        last = task.answer_steps(batch, -1)[run].numpy()
        for flow in flows:
            for variable, norms in flow.total.items():
                plain = expected[flow.part][variable]
                for sample, answer in enumerate(last):
                    t = answer - flow.lags.numpy()
                    there = (t >= 0) & (t < task.sequence_length)
                    mine = norms[:, run, sample].numpy()
                    assert np.isnan(mine[~there]).all()
                    np.testing.assert_allclose(mine[there], plain[t[there], sample], **CLOSE)


def test_lags_of_a_bidirectional_network_reach_beyond_the_answer() -> None:
    task = Copy(gap=3, items=2)
    batch = task.batch(torch.arange(RUNS), "probe", 0, SAMPLES)
    for both, least in ((False, 0), (True, -1)):
        cell = RNN(hidden_size=HIDDEN, layers=2, bidirectional=both)
        params = random_network(cell, task.input_size, task.output_size)
        lags = [flow.lags.tolist() for flow in gradient_flows(task, cell, params, batch, "first")]
        assert all(of_part[-1] == least for of_part in lags)
        assert all(of_part[0] == task.sequence_length - 2 for of_part in lags)


@pytest.mark.parametrize(("w1", "w2"), [(1e-3, 0.5e-3), (40.0, 30.0)], ids=["vanishes", "explodes"])
def test_what_layers_hand_down_leaves_the_range_of_floats(w1: float, w2: float) -> None:
    """Two linear units: dL/dh1_t = v (w1^(n+1) - w2^(n+1)) / (w1 - w2), n steps before the answer; here to 1e-1200."""
    task, cell = Adding(gap=400), RNN(hidden_size=1, layers=2, activation="identity")
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    params = {"U": one.expand(1, 1, 2), "W": one * w1, "b": one[0], "U[2]": one, "W[2]": one * w2, "b[2]": one[0]}
    # A target far from what is said, whatever the states: the gradient that the readout sends is known from one step.
    params |= {"V": one * 1e-30, "V_bias": one[0] * 3}
    batch = task.batch(torch.tensor([1]), "probe", 0, 1)
    batch = Batch(torch.zeros_like(batch.inputs).double(), batch.targets)
    first, second = gradient_flows(task, cell, params, batch)
    n = first.lags.double()[:, None, None]
    at_answer = second.total["h"][-1]
    large, small = max(w1, w2), min(w1, w2)
    ratio = (1 - (small / large) ** (n + 1)).log10() - math.log10(large - small)
    expected = at_answer + (n + 1) * math.log10(large) + ratio
    assert abs(float(expected[0, 0, 0])) > 600
    tolerance = {"rtol": 1e-13, "atol": 1e-11}
    torch.testing.assert_close(first.total["h"], expected, **tolerance)
    torch.testing.assert_close(second.total["h"], at_answer + n * math.log10(w2), **tolerance)


def test_float32_flows_are_those_of_float64_to_its_rounding() -> None:
    task = Copy(gap=20, items=2)
    cell = CELLS["lstm"](hidden_size=8, layers=2)
    params = random_network(cell, task.input_size, task.output_size)
    batch = task.batch(torch.arange(RUNS), "probe", 0, SAMPLES)
    pairs = zip(
        *(gradient_flows(task, cell, params, batch, dtype=d) for d in (torch.float32, torch.float64)), strict=True
    )
    for single, double in pairs:
        for name, norms in double.total.items():
            torch.testing.assert_close(single.total[name], norms, rtol=0, atol=1e3 * EPS32)


def test_where_no_gradient_goes_in_a_bidirectional_network_nothing_is_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zeros on the other side of the answer are no want of range: float32 is enough, as its flow itself says."""
    task, cell = Copy(gap=4, items=2), CELLS["lstm"](hidden_size=HIDDEN, layers=2, bidirectional=True)
    params = random_network(cell, task.input_size, task.output_size)
    batch = task.batch(torch.arange(RUNS), "probe", 0, SAMPLES)
    taken: list[torch.dtype] = []
    plain = flow_module.select_runs
    monkeypatch.setattr(flow_module, "select_runs", lambda *given: taken.append(given[-1]) or plain(*given))
    flows = gradient_flows(task, cell, params, batch, "first", torch.float32)
    assert set(taken) == {torch.float32}
    last = {flow.part.direction: flow for flow in flows if flow.part.layer == 2}
    assert last["forward"].total["h"][-1].isneginf().all()
    assert last["backward"].total["h"][0].isneginf().all()


def test_the_part_that_passes_through_no_other_step() -> None:
    """It reaches every layer, at the answer alone."""
    task, cell = Copy(gap=3, items=2), CELLS["gru"](hidden_size=HIDDEN, layers=2)
    params = random_network(cell, task.input_size, task.output_size)
    batch = task.batch(torch.arange(RUNS), "probe", 0, SAMPLES)
    batch = Batch(batch.inputs.double(), batch.targets)
    flows = gradient_flows(task, cell, params, batch)
    last, start = task.sequence_length - 1, task.loss_steps.start
    for run in range(RUNS):
        p = {name: value[run] for name, value in params.items()}
        before, _ = states_of(cell, p, batch.inputs[:last, run])
        state = {part: tuple(s.detach() for s in states[-1]) for part, states in before.items()}
        below = batch.inputs[last:, run][:, None]
        seen = {}
        for part in parts_of(cell):
            own = {name: value[None] for name, value in parameters_of(part, p).items()}
            (after,) = loop.unroll(one_layer(cell), own, below.requires_grad_(), state[part])
            seen[part], below = after[0], after[0][None]
        loss = losses_of(task, p, below[0, 0], batch.targets[last - start, run]).sum()
        for flow, grad in zip(flows, torch.autograd.grad(loss, list(seen.values())), strict=True):
            np.testing.assert_allclose(flow.direct["h"][-1, run].numpy(), log10_norm(grad)[0], **CLOSE)
            assert flow.direct["h"][:-1].isneginf().all()


@pytest.mark.parametrize("name", CELLS)
def test_what_a_step_hands_down_is_the_gradient_of_its_input(name: str) -> None:
    cell = CELLS[name](hidden_size=HIDDEN).for_length(6)
    stepped, params = cell.stepped, prepared(cell, random_like(cell, 3, RUNS))
    g = torch.Generator().manual_seed(2)
    x = torch.randn(6, RUNS, SAMPLES, 3, dtype=torch.float64, generator=g)
    tape = adjoint(stepped, params, x, into_x=True)
    grads = tuple(torch.randn(zero.shape, dtype=torch.float64, generator=g) for zero in tape.zero_gradients())
    before = loop.unroll(stepped, params, x[:4])[-1]
    leaf = x[4:5].clone().requires_grad_()
    after = loop.unroll(stepped, params, leaf, before)[0]
    (expected,) = torch.autograd.grad(sum((s * g).sum() for s, g in zip(after, grads, strict=True)), leaf)
    torch.testing.assert_close(tape.into_inputs(4, grads), expected[0], **CLOSE)


@dataclass(frozen=True)
class Apart(Cell):
    """A cell of two variables: one that its input alone decides, one that ignores its input."""

    name = "apart"
    state_names = ("h", "n")

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        return {"U": torch.randn(self.hidden_size, input_size, generator=generator)}

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        return torch.tanh(p["U"] @ x), 0.5 * state[1]


@pytest.mark.parametrize("traced", [True, False])
def test_variables_may_ignore_the_input_or_the_state(traced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not traced:
        monkeypatch.setattr("lrd.gradients.adjoint.traced_step", lambda *_: None)
    cell, g = Apart(hidden_size=HIDDEN), torch.Generator().manual_seed(2)
    params = random_like(cell, 3, RUNS)
    x = torch.randn(2, RUNS, SAMPLES, 3, dtype=torch.float64, generator=g)
    into_h, into_n = (torch.randn(RUNS, SAMPLES, HIDDEN, dtype=torch.float64, generator=g) for _ in range(2))
    tape = adjoint(cell, params, x, into_x=True)
    total, before = tape.pull(1, (into_h, into_n))
    for found, expected in zip((*total, *before), (into_h, into_n, 0 * into_h, 0.5 * into_n), strict=True):
        torch.testing.assert_close(found, expected)
    delta = into_h * (1 - torch.einsum("rui,rbi->rbu", params["U"], x[1]).tanh() ** 2)
    torch.testing.assert_close(tape.into_inputs(1, (into_h, into_n)), torch.einsum("rbu,rui->rbi", delta, params["U"]))
    torch.testing.assert_close(tape.into_inputs(1, (0 * into_h, into_n)), 0 * x[1])


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_contributions_of_steps_sum_up_to_the_gradient_of_each_parameter(name: str, bidirectional: bool) -> None:
    task = Copy(gap=3, items=2)
    cell = CELLS[name](hidden_size=HIDDEN, layers=2, bidirectional=bidirectional)
    params = random_network(cell, task.input_size, task.output_size)
    batch = task.batch(torch.arange(RUNS), "probe", 0, 1)
    batch = Batch(batch.inputs.double(), batch.targets)
    start, step = task.loss_steps.start, task.sequence_length - 3  # an answer that is not the last step
    with torch.no_grad():
        tapes = NetworkTapes(cell, params, batch.inputs)
    into = torch.randn(RUNS, 1, features(cell), dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert step >= start
    with torch.no_grad():
        found = contributions_of_parts(tapes, {step: into}, torch.full((1, RUNS, 1), step))
    for run in range(RUNS):
        p = {key: value[run].clone().requires_grad_() for key, value in params.items()}
        _, h = states_of(cell, p, batch.inputs[:, run])
        (h[step] * into[run]).sum().backward()
        for part, of_part in found.items():
            for own, of in of_part.items():
                left = of.left[:, run, 0] * 2.0 ** of.power[:, run].double()
                mine = left.sum(0) if of.right is None else torch.einsum("ti,tj->ij", left, of.right[:, run, 0])
                expected = p[part.name_of(own)].grad
                torch.testing.assert_close(mine.view_as(expected), expected, **CLOSE)


@pytest.mark.parametrize("every", [4, 9], ids=["truncated", "whole"])
def test_training_norms_of_layers_with_dropout_are_those_of_autograd(every: int) -> None:
    """Where the gradient is cut in time, each layer is cut; what dropout zeroes hands nothing down."""
    cell, time = CELLS["lstm"](hidden_size=HIDDEN, layers=2, dropout=0.5), 9
    params = random_network(cell, 3, 1)
    g = torch.Generator().manual_seed(1)
    x = torch.randn(time, RUNS, SAMPLES, 3, dtype=torch.float64, generator=g)
    masks = 2.0 * torch.randint(2, (time, RUNS, SAMPLES, HIDDEN), generator=g)
    into = torch.randn(time, RUNS, SAMPLES, HIDDEN, dtype=torch.float64, generator=g)

    def dropout(steps: slice, layer: int, h: Tensor) -> Tensor:
        assert layer == 1
        return h * (masks[steps] if h.shape[1] == RUNS else masks[steps, 0][:, None])

    found = norms_by_adjoint(cell, params, x, torch.split(into, every), every, dropout)
    p = {key: value[0] for key, value in params.items()}
    starts: dict[Part, Any] = dict.fromkeys(parts_of(cell))
    for begin in range(0, time, every):
        steps = slice(begin, begin + every)
        below, kept = x[steps, 0][:, None], {}
        for part in parts_of(cell):
            own = {key: value[None] for key, value in parameters_of(part, p).items()}
            before = starts[part] or tuple(torch.zeros(1, SAMPLES, HIDDEN, dtype=torch.float64) for _ in "hc")
            kept[part] = loop.unroll(
                one_layer(cell), own, below.detach().requires_grad_() if part == FIRST else below, before
            )
            starts[part] = tuple(s.detach() for s in kept[part][-1])
            below = torch.stack([state[0] for state in kept[part]])
            below = dropout(steps, 1, below) if part == FIRST else below
        loss = (below[:, 0] * into[steps, 0]).sum()
        states = [s for of_part in kept.values() for state in of_part for s in state]
        grads = iter(torch.autograd.grad(loss, states, allow_unused=True, materialize_grads=True))
        for part, of_part in kept.items():
            for number in range(len(of_part)):
                for variable in "hc":
                    expected = log10_norm(next(grads)[0])
                    np.testing.assert_allclose(found[part, variable][begin + number, 0].numpy(), expected, **CLOSE)
