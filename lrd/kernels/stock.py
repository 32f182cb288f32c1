"""Torch's own recurrent kernels (oneDNN on the CPU, cuDNN on the GPU), one run of the pack after another.

On the CPU the LSTM kernel runs near the matrix-multiply peak, so that no packed loop catches up with it; there a pack
is only a unit of scheduling.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, Cell, Parameters, State
from lrd.shapes import Float, Tensor

_OPTIONS: tuple[Any, ...] = (
    True,
    1,
    0.0,
    True,
    False,
    False,
)  # biases, 1 layer, dropout, train, 1 direction, time-major


def scan_lstm(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """LSTM by ``torch.lstm``: the kernel protocol (see ``lrd.kernels``)."""
    assert isinstance(cell, LSTM)
    _, runs, batch, _ = inputs.shape
    if state is None:
        zeros = inputs.new_zeros(runs, batch, cell.hidden_size)
        state = (zeros, zeros)
    no_bias = inputs.new_zeros(4 * cell.hidden_size)  # torch has two biases, whose sum is our one
    outputs, hs, cs = [], [], []
    # unbind, not indexing: its backward is one stack, where each index would write a whole pack of zeros.
    for x, h, c, u, w, b in zip(
        inputs.unbind(1), *(s.unbind(0) for s in state), *(params[name].unbind(0) for name in "UWb"), strict=True
    ):
        out, h_last, c_last = torch.lstm(x.contiguous(), (h[None], c[None]), (u, w, b, no_bias), *_OPTIONS)
        outputs.append(out[first:])
        hs.append(h_last[0])
        cs.append(c_last[0])
    # Stacked run-major and handed out time-major: what the readout wants (lrd.cells.readout).
    stacked = torch.stack(outputs) if runs > 1 else outputs[0][None]
    return stacked.transpose(0, 1), (torch.stack(hs), torch.stack(cs))
