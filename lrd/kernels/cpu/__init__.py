"""Fused kernels of the CPU: the loop over time of RNN, LSTM, GRU and LSTM1997, compiled on the user's machine.

A step is one product of what it sees, h_{t-1}, x_t and 1 side by side, with W, U and b side by side, in tiles that stay
in registers, and then the gates, sixteen units at a time. The backward pass is the mirror of it: at every step the
gates' slopes, the norm of the gradient of each sample's state, the product with W that leads to the step before, and,
every few steps, what is added to the gradient of the weights, while all of it is in the nearest caches. The norms cost
a few operations and are always computed: with and without ``GradientNorms`` a run gets the same bits.

Dimension letters, the same in every file of this folder: T steps of ``time``, S of them scored, R ``runs``, B samples
of a ``batch``, N hidden ``units``, I ``inputs`` and V state variables. N is filled up with zeros to whole vectors of 16
(``vectors.LANES``). D, the ``depth``, is N + I + 1, what a step sees; in memory its rows are filled up to a ``width``.

    vectors, functions, products    sixteen numbers at once, exp and tanh of them, and products of matrices
    samples, weights                what a backward pass keeps of each sample, and what it adds up
    *_programs                      the steps of a cell, forward and back
    layout                          from torch's tensors to the programs' and back
    lstm1997_weights                parameters of memory cell blocks as its programs have them
    rnn, lstm, gru, lstm1997        the programs as autograd functions
    processor                       what the processor has
    compiled                        how numba compiles them

Nothing here imports numba before a kernel is asked for. Where it cannot run (``why_not``), the table has other kernels.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path

from lrd.cells import Cell, Parameters, State
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Float, Tensor


@cache
def why_not() -> str:
    """Return why these kernels cannot run here; empty: they can, as far as one can tell without numba itself."""
    try:
        if importlib.util.find_spec("numba") is None:
            return "numba is not installed"
        from lrd.kernels.cpu.processor import FUSED
    except (ImportError, OSError) as error:  # OSError: llvmlite's library cannot be loaded
        return str(error).splitlines()[0]

    return "" if FUSED else "the processor cannot multiply and add with one rounding"


#: The files that decide the machine code of each program.
SOURCES = tuple(Path(__file__).parent.glob("*.py"))


def load(cell: str) -> None:
    """Import the programs of a cell's kernel, which compiles them where no earlier process has.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or ``lstm1997``.

    Raises:
        Exception: What numba raises.
    """
    importlib.import_module(f"{__name__}.{cell}")


def scan_rnn(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the vanilla RNN, in float32 (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W and b.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
    """
    from lrd.kernels.cpu import rnn

    return rnn.scan(cell, params, inputs, state, first, norms)


def scan_lstm(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    keep: Float[Tensor, "runs time"] | None = None,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the LSTM, in float32 (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W and b.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        keep: k_t of ``lrd.kernels.packed_lstm``, 0 where the backward pass is cut in h, else 1; None: 1 everywhere.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
    """
    from lrd.kernels.cpu import lstm

    return lstm.scan(cell, params, inputs, state, first, keep, norms)


def scan_gru(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the GRU, in float32 (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W, b and d.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
    """
    from lrd.kernels.cpu import gru

    return gru.scan(cell, params, inputs, state, first, norms)


def scan_lstm1997(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the LSTM of 1997, with any of its options, in float32 (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, and W and b where it has them.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
    """
    from lrd.kernels.cpu import lstm1997

    return lstm1997.scan(cell, params, inputs, state, first, norms)
