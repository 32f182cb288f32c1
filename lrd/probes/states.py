"""States of a cell along sequences, step by step: what every probe begins with.

``walk`` takes a step at a time and keeps nothing, ``along`` keeps every step, ``at_lags`` those at chosen distances
from each sample's answer. RNN and LSTM have a fast way of their own; any other cell is taken by its own step.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lrd.cells import LSTM, RNN, Cell, Parameters, State
from lrd.cells.rnn import ACTIVATIONS
from lrd.kernels import loop, traced
from lrd.probes.base import Subject
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task

_STEPS = 16  # inputs are multiplied by U so many steps at once: few calls, and little to hold however long the sequence


def walk(cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"]) -> Iterator[State]:
    """The state after each step from a zero state, each variable [runs, batch, size]; in the precision of ``inputs``.

    To be gone through under ``torch.no_grad`` unless the way back is wanted.
    """
    state = loop.zero_state(cell, inputs)
    for chunk in torch.split(inputs, _STEPS):
        if type(cell) is RNN:
            states: Iterator[State] = rnn_walk(cell, params, input_part(params, chunk), state)
        elif type(cell) is LSTM:
            states = lstm_walk(cell, params, input_part(params, chunk), state)
        else:
            states = iter(traced.unroll(cell, params, chunk, state))
        for state in states:
            yield state


def rnn_walk(
    cell: RNN, params: Parameters, a: Float[Tensor, "time runs batch hidden"], state: State
) -> Iterator[State]:
    """States of the RNN from its ``input_part``, which is overwritten by the pre-activations."""
    f = sigmoid if cell.activation == "sigmoid" else ACTIVATIONS[cell.activation]
    w_t = params["W"].transpose(1, 2)
    (h,) = state
    for a_t in a.unbind(0):
        h = f(torch.baddbmm(a_t, h, w_t, out=a_t))
        # The identity hands on the very tensor of the pre-activation, which nobody writes to again.
        yield (h,)


def lstm_walk(
    cell: LSTM, params: Parameters, a: Float[Tensor, "time runs batch gates"], state: State
) -> Iterator[State]:
    """States of the LSTM from its ``input_part``, which is overwritten by the pre-activations of i, f, g, o."""
    w_t = params["W"].transpose(1, 2)
    h, c = state
    for a_t in a.unbind(0):
        i, f, g, o = torch.baddbmm(a_t, h, w_t, out=a_t).chunk(4, dim=-1)
        c = torch.addcmul(sigmoid(f) * c, sigmoid(i), g.tanh())
        h = sigmoid(o) * c.tanh()
        yield h, c


def input_part(p: Parameters, inputs: Float[Tensor, "time runs batch inputs"]) -> Float[Tensor, "time runs batch _"]:
    """U x_t + b for all steps at once."""
    return (torch.einsum("trbi,rhi->trbh", inputs, p["U"]) + p["b"][:, None]).contiguous()


# By exp, which gives a number the same result wherever it stands in a tensor; torch.sigmoid does not, and a run would
# then depend on its companions in the last bit.
def sigmoid(a: Tensor) -> Tensor:
    """1 / (1 + exp(-a))."""
    return 1 / (1 + torch.exp(-a))


@torch.no_grad()
def along(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"]
) -> dict[str, Float[Tensor, "time runs batch _"]]:
    """The states after every step [time, runs, batch, size], by variable."""
    steps = list(walk(cell, params, inputs))
    return {name: torch.stack(values) for name, values in zip(cell.state_names, zip(*steps, strict=True), strict=True)}


@torch.no_grad()
def at_lags(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    last: Int[Tensor, "runs batch"],
    lags: Int[Tensor, "lags"],
) -> dict[str, Float[Tensor, "lags runs batch _"]]:
    """The states at step ``last - lag`` of each sample [lags, runs, batch, size]; 0 where there is no such step."""
    row_of = torch.full((int(lags.max()) + 1,), -1, device=lags.device)
    row_of[lags] = torch.arange(len(lags), device=lags.device)
    kept = [inputs.new_zeros(len(lags), *zero.shape) for zero in loop.zero_state(cell, inputs)]
    for t, state in enumerate(walk(cell, params, inputs[: int(last.max()) + 1])):
        lag = last - t
        row = torch.where((lag >= 0) & (lag < len(row_of)), row_of[lag.clamp(0, len(row_of) - 1)], -1)
        runs, samples = (row >= 0).nonzero(as_tuple=True)
        if len(runs):
            for whole, variable in zip(kept, state, strict=True):
                whole[row[runs, samples], runs, samples] = variable[runs, samples]
    return dict(zip(cell.state_names, kept, strict=True))


def latest_answer(task: Task, batch: Batch) -> int:
    """The step of the last answer in the longest sample, of all that the task can draw where lengths vary.

    Tables count their steps ``t`` to it: a sample's step is ``t`` less what its own answer comes earlier.
    """
    return int(task.answer_steps(batch, -1).max()) if batch.weights is None else task.loss_steps[-1]


def one_by_one(subject: Subject) -> Iterator[Subject]:
    """Each run of a pack by itself: its numbers cannot depend on its companions, and its states lie in the cache."""
    for run in range(len(subject.seeds)):
        only = slice(run, run + 1)
        params = {name: value[only] for name, value in subject.params.items()}
        yield Subject(subject.task, subject.cell, params, subject.seeds[only])
