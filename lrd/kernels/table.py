"""The table of kernels: one entry a kernel says what it runs, where it can run, and what else it can do.

This is the only place that knows kernels by their names. To add one, write its function by the protocol
(``lrd.kernels.protocol``) and its entry here, before the entries that it is better than. Names stand in records
(``kernel`` in status.json) and are not to be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Attentive, Cell
from lrd.kernels import attentive, cpu, fused, loop, packed_lstm, packed_rnn, stock, traced
from lrd.kernels.protocol import Scan

_EVERY_PRECISION = ("float32", "tf32", "bfloat16", "float64")


@dataclass(frozen=True)
class Kernel:
    """The facts about one kernel.

    Attributes:
        name: What records, figures and the log call it.
        scan: The function that runs, by the kernel protocol.
        cell: The class of the cells whose steps it runs (``Cell.stepped``); None: any cell. A subclass of it is
            another cell, since it may step otherwise.
        devices: Where it may be chosen: cpu (which stands for all devices that have no kernels of their own), cuda.
        precisions: The values of ``training.precision`` with which it may be chosen.
        norms: Whether its backward pass gives the training gradient norms, by the option ``norms``.
        free_norms: Whether it does so in hardly more time, so that runs have them unless they are turned off.
        cuts: Whether its backward pass can be cut in h at chosen steps, by the option ``keep``.
        checked: Whether it is compiled on the user's machine, for its device, and so is held to float64 there before it
            trains (``lrd.training.kernel_trust``); one that gives other numbers is not used.
        takes_precision: Whether it rounds products by itself, by the option ``precision``.
        run_by_run: Whether it takes one run of a pack after another, so that a larger pack saves no time in it.
        best_alone_on_gpu: Whether on a GPU it goes before all others for a run alone.
        hands_over_to: The kernel that runs in its place where the precision is float64; None: it runs itself.
        keeps: How many numbers its forward pass keeps of a step for each unit; None: not known, about what autograd
            keeps of the plain loop.
        runs_cell: Whether it can run the steps of one cell of its class.
        available: Whether this machine has what it needs on a device; asked only where it would be chosen.
        why_not: Why it is not available, in words.
        load: Load its compiled code, and raise what its compiler raises. An available one can fail here: that its
            compiler is installed is quickly seen, that it works is not.
    """

    name: str
    scan: Scan
    cell: type[Cell] | None = None
    devices: tuple[str, ...] = ("cpu", "cuda")
    precisions: tuple[str, ...] = ("float32", "tf32", "float64")
    norms: bool = False
    free_norms: bool = False
    cuts: bool = False
    checked: bool = False
    takes_precision: bool = False
    run_by_run: bool = False
    best_alone_on_gpu: bool = False
    hands_over_to: str | None = None
    keeps: int | None = None
    runs_cell: Callable[[Cell], bool] = lambda cell: True
    available: Callable[[torch.device], bool] = lambda device: True
    why_not: Callable[[torch.device], str] = lambda device: ""
    load: Callable[[], object] = lambda: None


def _triton(name: str, scan: Scan, cell: type[Cell], hands_over_to: str, cuts: bool = False) -> Kernel:
    """Return the entry of a kernel of ``lrd.kernels.fused``, with what all of these share."""
    return Kernel(
        name,
        scan,
        cell,
        devices=("cuda",),
        precisions=_EVERY_PRECISION,
        norms=True,
        free_norms=True,
        cuts=cuts,
        takes_precision=True,
        hands_over_to=hands_over_to,
        checked=True,
        available=lambda device: fused.launchable(),
        why_not=lambda device: fused.why_not(),
    )


def _numba(name: str, scan: Scan, cell: type[Cell], keeps: int, cuts: bool = False) -> Kernel:
    """Return the entry of a kernel of ``lrd.kernels.cpu``, with what all of these share."""
    return Kernel(
        name,
        scan,
        cell,
        devices=("cpu",),
        precisions=("float32",),
        norms=True,
        free_norms=True,
        cuts=cuts,
        run_by_run=True,
        keeps=keeps,
        checked=True,
        available=lambda device: device.type == "cpu" and not cpu.why_not(),
        why_not=lambda device: cpu.why_not() if device.type == "cpu" else "it is one of the CPU",
        load=lambda: cpu.load(cell.name),
    )


def _of_torch(name: str, scan: Scan, cell: type[Cell], devices: tuple[str, ...] = ("cpu", "cuda")) -> Kernel:
    """Return the entry of a kernel of ``lrd.kernels.stock`` (oneDNN, cuDNN), with what all of these share."""
    return Kernel(name, scan, cell, devices, run_by_run=True, best_alone_on_gpu=True, runs_cell=stock.has_kernel_of)


_IN_ORDER_OF_PREFERENCE = (
    _triton("triton_rnn", fused.scan_rnn, RNN, hands_over_to="packed"),
    _numba("numba_rnn", cpu.scan_rnn, RNN, keeps=1),
    Kernel("packed", packed_rnn.scan, RNN, norms=True),
    _of_torch("stock_rnn", stock.scan_rnn, RNN, devices=("cuda",)),
    _triton("triton_lstm", fused.scan_lstm, LSTM, hands_over_to="packed_lstm", cuts=True),
    _numba("numba_lstm", cpu.scan_lstm, LSTM, keeps=6, cuts=True),
    _of_torch("stock", stock.scan_lstm, LSTM),
    Kernel("packed_lstm", packed_lstm.scan, LSTM, norms=True, cuts=True),
    _triton("triton_gru", fused.scan_gru, GRU, hands_over_to="traced"),
    _numba("numba_gru", cpu.scan_gru, GRU, keeps=5),
    _of_torch("stock_gru", stock.scan_gru, GRU),
    _numba("numba_lstm1997", cpu.scan_lstm1997, LSTM1997, keeps=7),
    Kernel("attentive", attentive.scan, Attentive, run_by_run=True),
    Kernel("traced", traced.scan),
    Kernel("loop", loop.scan, precisions=_EVERY_PRECISION),
)
#: Every kernel by its name, the best first; ``loop`` can run whatever there is, and comes last.
KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in _IN_ORDER_OF_PREFERENCE}
