"""How a cell is run over time, fast.

The kernel protocol: ``scan(cell, params, inputs, state, first) -> (outputs, state)``

* ``cell``: the one that does the steps (``Cell.stepped``);
* ``params``: what it gets (``lrd.cells.prepared``) with a leading ``runs`` axis;
* ``inputs`` [time, runs, batch, inputs]; ``state``: the state before the first step, or None for zeros;
* ``first``: h is wanted from this step on; outputs are [time - first, runs, batch, hidden];
* the state returned is the one after the last step; both results carry gradients to parameters and state.

What a run computes does not depend on its companions in the pack. ``choose_kernel`` is the table of which one runs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from lrd.cells import GRU, LSTM, RNN, Attentive, Cell, Parameters, State
from lrd.kernels import attentive, loop, packed_lstm, packed_rnn, stock, traced
from lrd.shapes import Tensor

Scan = Callable[[Cell, Parameters, Tensor, State | None, int], tuple[Tensor, State]]

# name -> (kernel, the cell it is for; None: any cell)
KERNELS: dict[str, tuple[Scan, type[Cell] | None]] = {
    "packed": (packed_rnn.scan, RNN),
    "stock": (stock.scan_lstm, LSTM),
    "packed_lstm": (packed_lstm.scan, LSTM),  # where the way back is cut (training.h_detach)
    "stock_gru": (stock.scan_gru, GRU),
    "attentive": (attentive.scan, Attentive),
    "traced": (traced.scan, None),
    "loop": (loop.scan, None),
}


def choose_kernel(cell: Cell) -> str:
    """The fastest kernel for a cell, by name: the first of ``KERNELS`` for exactly the kind that does its steps."""
    return next(name for name, (_, kind) in KERNELS.items() if kind in (None, type(cell.stepped)))


def run_by_run(kernel: str) -> bool:
    """Whether a kernel takes one run of a pack after another, as torch's own and the attentive one do."""
    return kernel in ("stock", "stock_gru", "attentive")


def runs_at_once(kernel: str, state_bytes: int, device: torch.device) -> int | None:
    """Runs that one call should take forward and back before the next ones; None: all of them.

    Torch's CPU kernels go run by run. A few runs at once save calls; more than a few push the first one's activations
    out of the cache before its backward pass wants them (measured: the best is near 800 kB of h for all of them).
    """
    return max(1, 800_000 // state_bytes) if run_by_run(kernel) and device.type == "cpu" else None


__all__ = ["KERNELS", "Scan", "choose_kernel", "run_by_run", "runs_at_once"]
