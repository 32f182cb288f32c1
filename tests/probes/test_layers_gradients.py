"""Gradient flow and parameter gradients of every part of a network, against autograd through a plain loop of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_networks import NETWORKS, SEEDS, double, network_of, own, parts
from reference import answers_of, losses_of

from lrd.cells import Cell
from lrd.gradients.summary import over_samples
from lrd.probes import GradientFlow, ParameterGradient, Subject
from lrd.scalars import Columns
from lrd.shapes import Tensor
from lrd.tasks import Adding, Copy, Task

SAMPLES = 3
TASKS: dict[str, Task] = {
    "copy": Copy(gap=3, items=2, symbols=3),
    "adding": Adding(gap=10, convention="pascanu2013"),  # of several lengths
}
Place = tuple[int, str]
# float64 along some 12 steps of 2 or 3 layers, each with a relative error of some 10 eps
TOLERANCE = 1e-10


class Tracked:
    """One sample of one run through its network, with a copy of the parameters at each step of each part."""

    def __init__(self, cell: Cell, p: dict[str, Tensor], x: Tensor) -> None:
        self.cell, self.p, self.x, time = cell, p, x, len(x)
        self.copies: dict[Place, list[dict[str, Tensor]]] = {}
        self.states: dict[Place, list[Any]] = {}
        below = list(x)
        for layer in range(1, cell.layers + 1):
            h = []
            for part in [part for part in parts(cell) if part[0] == layer]:
                copies, states, state = [{}] * time, [()] * time, self.zeros()
                for t in reversed(range(time)) if part[1] == "backward" else range(time):
                    copies[t] = {name: v.clone().requires_grad_() for name, v in own(part, p).items()}
                    state = states[t] = cell.step(copies[t], below[t], state)
                self.copies[part], self.states[part] = copies, states
                h.append([state[0] for state in states])
            below = [torch.cat(at) for at in zip(*h, strict=True)]
        self.h = below

    def zeros(self) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(size).double() for size in self.cell.state_sizes())

    def step_alone(self, t: int) -> tuple[Tensor, dict[Place, Any]]:
        """h of step t, and the states of it, where all that comes from other steps of the same part is constant."""
        below, found = self.x[t], {}
        for layer in range(1, self.cell.layers + 1):
            h = []
            for part in [part for part in parts(self.cell) if part[0] == layer]:
                before = t + 1 if part[1] == "backward" else t - 1
                inside = 0 <= before < len(self.x)
                state = tuple(s.detach() for s in self.states[part][before]) if inside else self.zeros()
                found[part] = self.cell.step(self.copies[part][t], below, state)
                h.append(found[part][0])
            below = torch.cat(h)
        return below, found


def followed(seen: Subject, run: int, sample: int, answer: str) -> tuple[Tracked, dict[int, Any], int]:
    """A sample's network, the loss as a function of h at each of its answers' steps, and the last of these."""
    task, batch = seen.task, seen.sequences(SAMPLES)
    p = double(seen, run)
    steps = [int(task.answer_steps(batch, k)[run, sample]) for k in answers_of(task, answer)]

    def loss(t: int, h: Tensor) -> Tensor:
        return losses_of(task, p, h[None], batch.targets[t - task.loss_steps.start, run, sample][None])[0]

    tracked = Tracked(seen.cell, p, batch.inputs[:, run, sample])
    return tracked, dict.fromkeys(sorted(set(steps)), loss), max(steps)


def gradients(tensors: list[Tensor], total: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(total, tensors, retain_graph=True, materialize_grads=True))


def expected_rows(by_sample: list[tuple[np.ndarray, int]], lags: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of log10 norms [time] of each sample, in rows of lags behind its own answer."""
    rows = np.full((len(lags), len(by_sample)), np.nan)
    for sample, (norms, last) in enumerate(by_sample):
        for j, lag in enumerate(lags):
            if 0 <= last - lag < len(norms):
                rows[j, sample] = norms[last - lag]
    return {name: value.numpy() for name, value in over_samples(torch.from_numpy(rows)).items()}


def rows_of(table: Columns, **labels: object) -> Columns:
    mine = np.logical_and.reduce([table[name] == value for name, value in labels.items()])
    return {name: column[mine] for name, column in table.items()}


def assert_statistics(table: Columns, expected: dict[str, np.ndarray]) -> None:
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, rtol=0, atol=TOLERANCE, err_msg=column)


def log10(norms: list[Tensor]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log10([float(norm) for norm in norms])


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("answer", ["last", "all"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_flow_of_every_part(name: str, task: str, answer: str) -> None:
    seen, cell = network_of(TASKS[task], NETWORKS[name]), NETWORKS[name]
    tables = GradientFlow(samples=SAMPLES, answer=answer, precision="float64").tables_of(seen)
    for run in range(len(SEEDS)):
        norms: dict[Any, list[tuple[np.ndarray, int]]] = {}
        for sample in range(SAMPLES):
            tracked, losses, last = followed(seen, run, sample, answer)
            loss = sum(of(t, tracked.h[t]) for t, of in losses.items())
            for part in parts(cell):
                for v, variable in enumerate(cell.state_names):
                    found = gradients([state[v] for state in tracked.states[part]], loss)
                    norms.setdefault(("total", part, variable), []).append((log10([g.norm() for g in found]), last))
            direct = {(part, v): [torch.zeros(1)] * len(tracked.h) for part in parts(cell) for v in range(2)}
            for t, of in losses.items():
                h, states = tracked.step_alone(t)
                for part in parts(cell):
                    for v, gradient in enumerate(gradients(list(states[part]), of(t, h))):
                        direct[part, v][t] = gradient.norm()
            for part in parts(cell):
                for v, variable in enumerate(cell.state_names):
                    norms.setdefault(("direct", part, variable), []).append((log10(direct[part, v]), last))
        table = tables[run]["gradient_flow"]
        latest, time = seen.task.loss_steps[-1], seen.task.sequence_length
        for (kind, (layer, direction), variable), by_sample in norms.items():
            mine = rows_of(table, layer=layer, direction=direction, variable=variable, part=kind)
            least = latest - time + 1 if cell.bidirectional else 0
            there = is_step if kind == "total" else is_direct  # the rows that some sample has
            assert mine["lag"].tolist() == [lag for lag in range(latest, least - 1, -1) if there(by_sample, lag)]
            assert (mine["t"] == latest - mine["lag"]).all()
            assert_statistics(mine, expected_rows(by_sample, mine["lag"]))


def is_step(by_sample: list[tuple[np.ndarray, int]], lag: int) -> bool:
    return any(0 <= last - lag < len(norms) for norms, last in by_sample)


def is_direct(by_sample: list[tuple[np.ndarray, int]], lag: int) -> bool:
    return any(0 <= last - lag < len(norms) and np.isfinite(norms[last - lag]) for norms, last in by_sample)


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("answer", ["last", "all"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_gradients_of_every_part(name: str, task: str, answer: str) -> None:
    """Beyond a lag lies what a part read before it: of one that reads backward, later steps, whose lags are below 0."""
    seen, cell = network_of(TASKS[task], NETWORKS[name]), NETWORKS[name]
    tables = ParameterGradient(samples=SAMPLES, answer=answer, lags_per_decade=3).tables_of(seen)
    for run in range(len(SEEDS)):
        table = tables[run]["parameter_gradient"]
        steps: dict[tuple[Place, str], list[tuple[Tensor, int]]] = {}
        for sample in range(SAMPLES):
            tracked, losses, last = followed(seen, run, sample, answer)
            loss = sum(of(t, tracked.h[t]) for t, of in losses.items())
            for part in parts(cell):
                for key in tracked.copies[part][0]:
                    found = gradients([copy[key] for copy in tracked.copies[part]], loss)
                    steps.setdefault((part, key), []).append((torch.stack(found).flatten(1), last))
        for (part, key), by_sample in steps.items():
            mine = rows_of(table, layer=part[0], direction=part[1], parameter=key)
            immediate, beyond = rows_of(mine, part="immediate"), rows_of(mine, part="beyond")
            each = [(log10([g.norm() for g in found]), last) for found, last in by_sample]
            assert_statistics(immediate, expected_rows(each, immediate["lag"]))
            left = {last - t for (norms, last) in each for t in range(len(norms)) if np.isfinite(norms[t])} - set(
                immediate["lag"].tolist()
            )
            assert left == set()  # no step that contributes lacks its row
            shares = []
            for lag in beyond["lag"]:
                row = []
                for found, last in by_sample:
                    before = found[last - lag + 1 :] if part[1] == "backward" else found[: max(0, last - lag)]
                    row.append(before.sum(0).norm() / found.sum(0).norm())
                shares.append(log10(row))
            expected = over_samples(torch.from_numpy(np.array(shares).reshape(len(shares), SAMPLES)))
            assert_statistics(beyond, {name: value.numpy() for name, value in expected.items()})
            assert len(beyond["lag"]) > 0 or part[1] == "backward"
