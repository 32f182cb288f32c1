"""Gradient flow the plain way: a float64 loop of cells, autograd, ``retain_grad`` at every step."""

from __future__ import annotations

import numpy as np
import torch
from helpers import loop_of_cells, one

from lrd.cells import Cell, Parameters
from lrd.shapes import Tensor
from lrd.tasks import Batch, Task

Norms = dict[str, np.ndarray]


def losses_of(task: Task, p: Parameters, h: Tensor, targets: Tensor) -> Tensor:
    """Loss [batch] of one step's h [batch, hidden]."""
    y = h @ p["V"].T + p["V_bias"]
    if task.classification:
        return -torch.log_softmax(y, -1).gather(-1, targets[:, None])[:, 0]
    # torch.sigmoid's own gradient, y (1 - y), has no digits left where y is near 1.
    said = torch.nn.functional.logsigmoid(y).exp() if task.logistic else y
    return (said - targets.double()).square().mean(-1)


def answers_of(task: Task, answer: str | int) -> list[int]:
    return {"last": [-1], "first": [0], "all": list(range(task.answers))}.get(str(answer), [answer])


def plain_flow(
    task: Task, cell: Cell, params: Parameters, batch: Batch, answer: str | int, run: int, states_of=loop_of_cells
) -> tuple[Norms, Norms]:
    """log10 norms, total and direct, [time, batch] over the steps of one run; ``steps`` of the answer: [batch]."""
    p = {name: value.double().detach().requires_grad_() for name, value in one(params, run).items()}
    x = batch.inputs[:, run].double()
    states = states_of(cell, p, x)
    for variable in (s for state in states for s in state):
        variable.retain_grad()
    steps = torch.stack([task.answer_steps(batch, k)[run] for k in answers_of(task, answer)])
    start = task.loss_steps.start

    def loss_at(t: int, h: Tensor) -> Tensor:
        wanted = (steps == t).any(0)
        return (losses_of(task, p, h, batch.targets[t - start, run]) * wanted).sum()

    sum(loss_at(t, states[t][0]) for t in steps.unique().tolist()).backward()
    total, direct = ({name: np.full(x.shape[:2], -np.inf) for name in cell.state_names} for _ in range(2))
    for v, name in enumerate(cell.state_names):
        for t in range(int(steps.max()) + 1):
            gradient = states[t][v].grad
            if gradient is not None:
                total[name][t] = log10_norm(gradient)
    for t in steps.unique().tolist():  # the same step alone, from the state before it
        before = tuple(s.detach() for s in states[t - 1]) if t else None
        (after,) = states_of(cell, p, x[t : t + 1], before)
        for name, gradient in zip(
            cell.state_names, torch.autograd.grad(loss_at(t, after[0]), after, materialize_grads=True), strict=True
        ):
            direct[name][t] = log10_norm(gradient)
    return total, direct


def log10_norm(gradient: Tensor) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log10(gradient.norm(dim=-1).numpy())


def by_lag(norms: np.ndarray, last: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Rows by distance from each sample's own answer; nan where there is no such step."""
    rows = np.full((len(lags), norms.shape[1]), np.nan)
    for j, lag in enumerate(lags):
        for sample, step in enumerate(last):
            if step - lag >= 0:
                rows[j, sample] = norms[step - lag, sample]
    return rows
