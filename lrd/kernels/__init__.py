"""How a cell is run over time, fast.

The kernel protocol: ``scan(cell, params, inputs, state, first) -> (outputs, state)``

* ``cell``: the one that does the steps (``Cell.stepped``);
* ``params``: what it gets (``lrd.cells.prepared``) with a leading ``runs`` axis;
* ``inputs`` [time, runs, batch, inputs]; ``state``: the state before the first step, or None for zeros;
* ``first``: h is wanted from this step on; outputs are [time - first, runs, batch, hidden];
* the state returned is the one after the last step; both results carry gradients to parameters and state.

Some (``WITH_NORMS``) take ``norms``, a ``GradientNorms`` that their way back fills (``lrd.kernels.norms``).
What a run computes does not depend on its companions in the pack; on a GPU, whether it has any decides its kernel.
``choose_kernel`` is the table of which one runs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from lrd.cells import GRU, LSTM, RNN, Attentive, Cell, Parameters, State
from lrd.kernels import attentive, fused, loop, packed_lstm, packed_rnn, stock, traced
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Tensor

Scan = Callable[[Cell, Parameters, Tensor, State | None, int], tuple[Tensor, State]]

# name -> (kernel, the cell it is for; None: any cell)
KERNELS: dict[str, tuple[Scan, type[Cell] | None]] = {
    "packed": (packed_rnn.scan, RNN),
    "stock": (stock.scan_lstm, LSTM),
    "packed_lstm": (packed_lstm.scan, LSTM),  # where the way back is cut (training.h_detach)
    "stock_gru": (stock.scan_gru, GRU),
    "stock_rnn": (stock.scan_rnn, RNN),
    "triton_rnn": (fused.scan_rnn, RNN),
    "triton_lstm": (fused.scan_lstm, LSTM),
    "triton_gru": (fused.scan_gru, GRU),
    "attentive": (attentive.scan, Attentive),
    "traced": (traced.scan, None),
    "loop": (loop.scan, None),
}


# On a GPU, by cell: cuDNN for a run alone; for packs the Triton kernel, where triton can run it.
_ON_GPU: dict[type[Cell], tuple[str, str]] = {
    RNN: ("stock_rnn", "triton_rnn"),
    LSTM: ("stock", "triton_lstm"),
    GRU: ("stock_gru", "triton_gru"),
}
#: Kernels whose way back has the gradient of every state at hand and can tell its norm.
WITH_NORMS = frozenset({"packed", "packed_lstm", "triton_rnn", "triton_lstm", "triton_gru"})
#: What is never chosen on a CPU.
GPU_KERNELS = frozenset({"stock_rnn", "triton_rnn", "triton_lstm", "triton_gru"})


def choose_kernel(
    cell: Cell, device: torch.device | None = None, runs: int = 1, cut: bool = False, norms: bool = False
) -> str:
    """The kernel, by name, that a pack of so many runs is best run by; ``device``: where, None: on a CPU.

    On a CPU the first of ``KERNELS`` for exactly the kind that does a cell's steps, on a GPU see ``_ON_GPU``. ``cut``:
    it must be able to cut the way back (``keep`` of ``packed_lstm``), which kernels of the LSTM alone can. ``norms``:
    one of ``WITH_NORMS`` where there is one for the cell.
    """
    kind = type(cell.stepped)
    if device is not None and device.type == "cuda" and kind in _ON_GPU:
        alone, together = _ON_GPU[kind]
        if runs == 1 and not (cut or norms) and (alone != "stock_rnn" or stock.has_rnn(cell.stepped)):
            return alone
        if fused.launchable():
            return together
    if cut or (norms and kind is LSTM):
        return "packed_lstm"
    return next(name for name, (_, kind) in KERNELS.items() if kind in (None, type(cell.stepped)))


def run_by_run(kernel: str) -> bool:
    """Whether a kernel takes one run of a pack after another, as torch's own and the attentive one do."""
    return kernel in ("stock", "stock_gru", "stock_rnn", "attentive")


def runs_at_once(kernel: str, state_bytes: int, device: torch.device) -> int | None:
    """Runs that one call should take forward and back before the next ones; None: all of them.

    Torch's CPU kernels go run by run. A few runs at once save calls; more than a few push the first one's activations
    out of the cache before its backward pass wants them (measured: the best is near 800 kB of h for all of them).
    """
    return max(1, 800_000 // state_bytes) if run_by_run(kernel) and device.type == "cpu" else None


__all__ = [
    "GPU_KERNELS",
    "KERNELS",
    "WITH_NORMS",
    "GradientNorms",
    "Scan",
    "choose_kernel",
    "run_by_run",
    "runs_at_once",
]
