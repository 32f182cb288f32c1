"""Torch's own recurrent kernels (oneDNN on the CPU, cuDNN on the GPU), one run of the pack after another.

On the CPU the LSTM kernel runs near the matrix-multiply peak, so that no packed loop catches up with it; there a pack
is only a unit of scheduling.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

from lrd.cells import GRU, LSTM, RNN, Cell, Parameters, State
from lrd.kernels.loop import zero_state
from lrd.shapes import Float, Tensor

#: The last arguments of torch's functions.
_OPTIONS: tuple[Any, ...] = (
    True,  # biases
    1,  # layers
    0.0,  # dropout
    True,  # training
    False,  # both directions
    False,  # batch first
)

# cuDNN warns that it copies weights that do not lie as it wants them; a run's lie in its row of a pack.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk of memory")

# Torch's kernels of the vanilla RNN, by activation.
_RNNS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


def has_kernel_of(cell: Cell) -> bool:
    """Return whether torch has a kernel of this cell, an RNN, LSTM or GRU: it has no RNN of every activation."""
    return not isinstance(cell, RNN) or cell.activation in _RNNS


def scan_rnn(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the vanilla RNN by ``torch.rnn_tanh`` or ``torch.rnn_relu`` (see ``lrd.kernels.protocol``)."""
    assert isinstance(cell, RNN)
    no_bias, kernel = inputs.new_zeros(cell.hidden_size), _RNNS[cell.activation]  # torch has two biases

    def of_run(x: Tensor, state: State, p: Parameters) -> tuple[Tensor, ...]:
        return kernel(x, state[0][None], (p["U"], p["W"], p["b"], no_bias), *_OPTIONS)

    return _run_by_run(of_run, cell, params, "UWb", inputs, state, first)


def scan_lstm(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the LSTM by ``torch.lstm`` (see ``lrd.kernels.protocol``)."""
    assert isinstance(cell, LSTM)
    no_bias = inputs.new_zeros(4 * cell.hidden_size)  # torch has two biases, whose sum is our one

    def of_run(x: Tensor, state: State, p: Parameters) -> tuple[Tensor, ...]:
        h, c = state
        out, *last = torch.lstm(x, (h[None], c[None]), (p["U"], p["W"], p["b"], no_bias), *_OPTIONS)
        return out, *last

    return _run_by_run(of_run, cell, params, "UWb", inputs, state, first)


def scan_gru(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the GRU by ``torch.gru`` (see ``lrd.kernels.protocol``)."""
    assert isinstance(cell, GRU)
    no_bias = inputs.new_zeros(2 * cell.hidden_size)  # of the second bias, r and z have nothing of their own

    def of_run(x: Tensor, state: State, p: Parameters) -> tuple[Tensor, ...]:
        return torch.gru(x, state[0][None], (p["U"], p["W"], p["b"], torch.cat([no_bias, p["d"]])), *_OPTIONS)

    return _run_by_run(of_run, cell, params, "UWbd", inputs, state, first)


def _run_by_run(
    of_run: Callable[[Tensor, State, Parameters], tuple[Tensor, ...]],
    cell: Cell,
    params: Parameters,
    names: str,
    inputs: Tensor,
    state: State | None,
    first: int,
) -> tuple[Tensor, State]:
    """Run one run of a pack after another.

    Args:
        of_run: Takes x, state and parameters of one run; gives h of every step, and each state variable after the last
            step, [1, batch, hidden].
        cell: The cell, for its state of zeros.
        params: Parameters of the pack by name.
        names: The names of those that ``of_run`` takes.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
    """
    state = zero_state(cell, inputs) if state is None else state
    outputs, lasts = [], []
    # unbind, not indexing: its backward is one stack, where each index would write a whole pack of zeros.
    for x, *rest in zip(
        inputs.unbind(1), *(s.unbind(0) for s in state), *(params[name].unbind(0) for name in names), strict=True
    ):
        before, own = tuple(rest[: len(state)]), dict(zip(names, rest[len(state) :], strict=True))
        out, *last = of_run(x.contiguous(), before, own)
        outputs.append(out[first:])
        lasts.append([variable[0] for variable in last])
    # Stacked run-major and handed out time-major: what the readout wants (lrd.cells.readout).
    stacked = torch.stack(outputs) if len(outputs) > 1 else outputs[0][None]
    return stacked.transpose(0, 1), tuple(torch.stack(variable) for variable in zip(*lasts, strict=True))
