"""Cells of the field go through the generic probes: gradient flow beside autograd of whole sequences, and gates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import one, random_like

from lrd.cells import CELLS, GRU, LSTM1997, Cell, CoupledLSTM, PeepholeLSTM, read
from lrd.gradients.flow import gradient_flow
from lrd.probes.base import Subject
from lrd.probes.gates import Gates
from lrd.tasks import Delay

FIELD: dict[str, Cell] = {
    "gru": GRU(hidden_size=4),
    "peephole": PeepholeLSTM(hidden_size=4),
    "coupled": CoupledLSTM(hidden_size=4),
    "1997": LSTM1997(hidden_size=4, block_size=2),
    "1997, readout of inputs": LSTM1997(hidden_size=4, readout_inputs=True, readout_bias=False),
    "1997, truncated": LSTM1997(hidden_size=4, truncated=True, output_gates=False),
}
TASK, SAMPLES = Delay(gap=6, tokens=3, alphabet=4), 3


def subject(cell: Cell, runs: int = 2) -> Subject:
    params = random_like(cell, TASK.input_size, runs, outputs=TASK.output_size, seed=7)
    return Subject(TASK, cell, params, torch.arange(runs))


@pytest.mark.parametrize("name", FIELD)
def test_gradient_flow_is_autograds(name: str) -> None:
    """dL/d(variable) of every step, with what c and y do through h; 9 steps of some 20 terms, log10 to 1e-10."""
    cell, seen = FIELD[name], subject(FIELD[name])
    batch = TASK.batch(seen.seeds, "probe", 0, SAMPLES)
    flow = gradient_flow(TASK, cell, seen.params, batch)
    answer = int(TASK.answer_steps(batch, -1)[0, 0])
    for run in range(2):
        p = {key: value.clone().requires_grad_() for key, value in one(seen.params, run).items()}
        for sample in range(SAMPLES):
            x = batch.inputs[:, run, sample].double()
            state = tuple(torch.zeros(size, dtype=torch.float64) for size in cell.state_sizes())
            passed: list[tuple[torch.Tensor, ...]] = []
            for x_t in x[: answer + 1]:
                state = cell.step(p, x_t, state)
                passed.append(state)
            y = read({k: v[None] for k, v in p.items()}, state[0][None, None, None], x[answer][None, None, None])
            target = batch.targets[answer - TASK.loss_steps.start, run, sample]
            loss = torch.nn.functional.cross_entropy(y.view(1, -1), target.view(1))
            leaves = [variable for step in passed for variable in step]
            grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
            norms = torch.stack([g.norm() for g in grads]).view(-1, len(state)).log10()
            for v, variable in enumerate(cell.state_names):
                mine = flow.total[variable][:, run, sample]
                np.testing.assert_allclose(mine, norms[:, v], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", FIELD)
def test_gates_of_every_step(name: str) -> None:
    cell, seen = FIELD[name], subject(FIELD[name], 1)
    (table,) = Gates(samples=SAMPLES).measure(seen)
    inputs = TASK.batch(seen.seeds, "probe", 0, SAMPLES).inputs[:, 0].double()
    p, states = one(seen.params, 0), [tuple(torch.zeros(n, dtype=torch.float64) for n in cell.state_sizes())] * SAMPLES
    found: dict[str, list[list[float]]] = {}
    for x in inputs:
        for gate in (gates := [cell.gates(p, x[s], states[s]) for s in range(SAMPLES)])[0]:
            found.setdefault(gate, []).append(torch.cat([g[gate] for g in gates]).tolist())
        states = [cell.step(p, x[s], states[s]) for s in range(SAMPLES)]
    values = table["quantity"] == "gate"
    assert set(table["gate"]) == set(found)
    for gate, by_step in found.items():
        mine = values & (table["gate"] == gate)
        expected = [np.mean(by_step[t]) for t in table["t"][mine]]
        np.testing.assert_allclose(table["mean"][mine], expected, rtol=0, atol=1e-12)
    kept = {gate: variable for variable, gate in cell.keeps.items()}
    for gate in found:
        assert set(table["variable"][(table["gate"] == gate) & ~values]) == ({kept[gate]} if gate in kept else set())


def test_the_error_of_the_carousel_is_constant_in_the_truncated_1997() -> None:
    """dL/dc_t is the same at every step, and nothing reaches h of a step before the answer."""
    cell, seen = FIELD["1997, truncated"], subject(FIELD["1997, truncated"])
    flow = gradient_flow(TASK, cell, seen.params, TASK.batch(seen.seeds, "probe", 0, SAMPLES))
    np.testing.assert_allclose(flow.total["c"], flow.total["c"][-1:].expand_as(flow.total["c"]), rtol=0, atol=1e-12)
    assert bool(torch.isneginf(flow.total["h"][:-1]).all())


@pytest.mark.parametrize("kind", CELLS.values())
def test_what_a_cell_keeps_is_one_of_its_variables_and_gates(kind: type[Cell]) -> None:
    cell = kind(hidden_size=4).for_length(5)
    gates = cell.gates(
        cell.parameters(2, torch.Generator()), torch.zeros(2), tuple(map(torch.zeros, cell.state_sizes()))
    )
    assert set(cell.keeps) <= set(cell.state_names)
    assert set(cell.keeps.values()) <= set(gates)
