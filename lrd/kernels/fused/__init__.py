"""Fused kernels: the loop over time of RNN, LSTM and GRU in one Triton program for each run and tile of samples.

Dimension letters, the same in every file of this folder: T steps of ``time``, R ``runs``, B samples of a ``batch``, N
``hidden`` units, G gates (1, 4, 3). Tiles are padded with zeros to what a GPU multiplies: a program takes ROWS samples,
and N units padded to PADDED, a power of two. Recurrent weights that fit into a program's registers stay there
(RESIDENT); larger ones are read again at every step, from L2, in blocks of INNER x UNITS, and then the state goes
through memory too, with a barrier a step.

What does not wait for the step before is done outside, for all steps by one matrix multiply a run: U x_t + b before,
the gradients of U, W and b after. So inputs may be of any width, and the LSTM's and GRU's gates take the place of their
pre-activations. The backward pass writes pre-activation gradients and, when asked (``GradientNorms``), the norm of the
gradient at every state, which it has at hand.

Nothing here imports triton before a kernel is called: it is an optional dependency. Where these programs cannot run
(no GPU, another precision than float32) the functions hand over to the general kernels.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sysconfig
from functools import cache
from pathlib import Path

from lrd.cells import Cell, Parameters, State
from lrd.kernels import packed_lstm, packed_rnn, traced
from lrd.kernels.fused.launch import usable
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Float, Tensor

logger = logging.getLogger(__name__)

__all__ = ["GradientNorms", "importable", "launchable", "scan_gru", "scan_lstm", "scan_rnn"]


_WANTS = "triton wants "


@cache
def importable() -> bool:
    """Return whether triton is installed."""
    return importlib.util.find_spec("triton") is not None


@cache
def launchable() -> bool:
    """Return whether triton can run programs on a GPU here: it builds what launches them when they are first run.

    Where it cannot although it is installed, one line of the log says what is missing.
    """
    missing = why_not()
    if missing and importable():
        logger.warning("packs run without their Triton kernels, which want %s", missing.removeprefix(_WANTS))
    return not missing


def why_not() -> str:
    """Return why triton cannot run programs on a GPU here; empty where it can."""
    if not importable():
        return "triton is not installed"
    # Debian's own Python has its headers where others have them, whatever it says of packages installed later.
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")
    wanted = {
        "a C compiler (gcc or clang, or CC)": os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang"),
        "Python's headers (Python.h)": Path(sysconfig.get_paths(scheme)["include"], "Python.h").is_file(),
    }
    missing = [name for name, there in wanted.items() if not there]
    return _WANTS + " and ".join(missing) if missing else ""


def scan_rnn(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
    precision: str | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the vanilla RNN (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W and b.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
        precision: The precision of products with W (``launch.PRECISIONS``); None: TF32 where torch's own float32
            products may be that, else float32.

    Raises:
        ValueError: There is no such precision.
    """
    if not _usable(inputs):
        return packed_rnn.scan(cell, params, inputs, state, first, norms=norms)
    from lrd.kernels.fused import rnn

    return rnn.scan(cell, params, inputs, state, first, norms, precision)


def scan_lstm(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    keep: Float[Tensor, "runs time"] | None = None,
    *,
    norms: GradientNorms | None = None,
    precision: str | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the LSTM (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W and b.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        keep: k_t of ``lrd.kernels.packed_lstm``, 0 where the backward pass is cut in h, else 1; None: 1 everywhere.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
        precision: The precision of products with W (``launch.PRECISIONS``); None: TF32 where torch's own float32
            products may be that, else float32.

    Raises:
        ValueError: There is no such precision.
    """
    if not _usable(inputs):
        return packed_lstm.scan(cell, params, inputs, state, first, keep, norms=norms)
    from lrd.kernels.fused import lstm

    return lstm.scan(cell, params, inputs, state, first, keep, norms, precision)


def scan_gru(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
    precision: str | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the GRU (see ``lrd.kernels.protocol``).

    Args:
        cell: The cell.
        params: U, W, b and d.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        norms: What the backward pass fills with the norms of the gradient; None: nothing.
        precision: The precision of products with W (``launch.PRECISIONS``); None: TF32 where torch's own float32
            products may be that, else float32.

    Raises:
        ValueError: There is no such precision, or norms are wanted where the general kernel runs, which gives none.
    """
    if not _usable(inputs):
        if norms is not None:
            raise ValueError("gradient norms of a GRU as a by-product need triton and float32 on a CUDA device")
        return traced.scan(cell, params, inputs, state, first)
    from lrd.kernels.fused import gru

    return gru.scan(cell, params, inputs, state, first, norms, precision)


def _usable(inputs: Tensor) -> bool:
    return importable() and usable(inputs)
