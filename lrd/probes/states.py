"""States of a cell along sequences: what the probes of gates, retention, memory capacity and closing begin with.

``unroll`` gives one step after the other and keeps nothing, ``along`` keeps every step, ``at_lags`` those at chosen
distances from each sample's answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lrd.cells import FIRST, LSTM, RNN, Cell, Parameters, Part, State
from lrd.gradients.closed_forms import input_part, unroll_lstm, unroll_rnn
from lrd.kernels import loop, traced
from lrd.probes.base import Subject
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task

_STEPS = 16  # inputs are multiplied by U so many steps at once: few calls, and little to hold however long the sequence


def unroll(cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"]) -> Iterator[State]:
    """Yield the state after each step from a zero state, each variable [runs, batch, size].

    The precision is that of ``inputs``. To be gone through under ``torch.no_grad`` unless gradients are wanted.
    """
    state = loop.zero_state(cell, inputs)
    for chunk in torch.split(inputs, _STEPS):
        if type(cell) is RNN:
            states: Iterator[State] = unroll_rnn(cell, params, input_part(params, chunk), state)
        elif type(cell) is LSTM:
            states = unroll_lstm(params, input_part(params, chunk), state)
        else:
            states = iter(traced.unroll(cell, params, chunk, state))
        for state in states:
            yield state


@torch.no_grad()
def along(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"]
) -> dict[str, Float[Tensor, "time runs batch _"]]:
    """Return the states after every step [time, runs, batch, size], by variable."""
    steps = list(unroll(cell, params, inputs))
    return {name: torch.stack(values) for name, values in zip(cell.state_names, zip(*steps, strict=True), strict=True)}


@torch.no_grad()
def at_lags(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    last: Int[Tensor, "runs batch"],
    lags: Int[Tensor, "lags"],
    part: Part = FIRST,
) -> dict[str, Float[Tensor, "lags runs batch _"]]:
    """Return the states at some steps before each sample's answer, by variable.

    Args:
        cell: the one that does the steps.
        params: of the pack, [runs, ...].
        inputs: what it reads at each step, in the order in which it reads.
        last: each sample's answer step.
        lags: how many steps before it, each.
        part: the place of the cell in its network, which says in which direction it reads.

    Returns:
        [lags, runs, batch, size]; 0 where a sample has no such step.
    """
    row_of = torch.full((int(lags.max()) + 1,), -1, device=lags.device)
    row_of[lags] = torch.arange(len(lags), device=lags.device)
    kept = [inputs.new_zeros(len(lags), *zero.shape) for zero in loop.zero_state(cell, inputs)]
    if not part.is_backward:
        inputs = inputs[: int(last.max()) + 1]
    for s, state in enumerate(unroll(cell, params, inputs)):
        lag = last - (len(inputs) - 1 - s if part.is_backward else s)
        row = torch.where((lag >= 0) & (lag < len(row_of)), row_of[lag.clamp(0, len(row_of) - 1)], -1)
        runs, samples = (row >= 0).nonzero(as_tuple=True)
        if len(runs):
            for whole, variable in zip(kept, state, strict=True):
                whole[row[runs, samples], runs, samples] = variable[runs, samples]
    return dict(zip(cell.state_names, kept, strict=True))


def latest_answer(task: Task, batch: Batch) -> int:
    """Return the step of the last answer in the longest sample, of all that the task can draw where lengths vary.

    Tables count their steps ``t`` to it: a sample's step is ``t`` less what its own answer comes earlier.
    """
    return int(task.answer_steps(batch, -1).max()) if batch.weights is None else task.loss_steps[-1]


def every_lag(subject: Subject, batch: Batch) -> Int[Tensor, "lags"]:
    """Return the lags of all steps, in the order of time; they fall to 0, as those of gradient flow.

    In a bidirectional network, whose answers hear of later steps, they fall further, to that of the last step.
    """
    latest = latest_answer(subject.task, batch)
    after = len(batch.inputs) - 1 - latest if subject.network.cell.bidirectional else 0
    return torch.arange(latest, -1 - after, -1, device=batch.inputs.device)


def one_by_one(subject: Subject) -> Iterator[Subject]:
    """Yield each run of a pack by itself: its numbers cannot depend on its companions, and its states fit the cache."""
    for run in range(len(subject.seeds)):
        yield subject.of_runs(slice(run, run + 1))
