"""The host's part of a fused kernel: tiles, precision, buffers, launches, and products over all steps."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch

from lrd.cells import products
from lrd.shapes import Float, Tensor

#: Precision of h_{t-1} and W in their product, and of gradients in theirs; sums and states are float32 in all of them.
#: float32: strict; tf32x3: each number as a sum of TF32 numbers, on tensor cores, near float32; then tf32; bfloat16.
PRECISIONS = {"float32": "ieee", "tf32x3": "tf32x3", "tf32": "tf32", "bfloat16": "bfloat16"}
#: Bytes of W up to which a program holds it; larger ones are read at every step, in blocks of INNER x UNITS. Chosen so
#: that ptxas spills at most a dozen numbers a thread to memory, for the H100 (sm_90); not timed.
RESIDENT_BYTES = 64 * 2**10
#: Strict float32 products give a thread whole columns of W, of which longer ones spill.
RESIDENT_COLUMN = 64
INNER, UNITS = 16, 32
_LEAST = 16  # the smallest tile that tensor cores multiply


@dataclass(frozen=True)
class Tiles:
    """The tiles that a program cuts its work into (see ``lrd.kernels.fused``), and its precision as Triton calls it."""

    ROWS: int
    PADDED: int
    INNER: int
    UNITS: int
    RESIDENT: bool
    PRECISION: str

    @property
    def warps(self) -> int:
        """Groups of 32 threads a program."""
        return 4 if self.PADDED <= 32 else 8


def usable(inputs: Tensor) -> bool:
    """Return whether the programs can take these inputs: float32 on a GPU, or anywhere in Triton's interpreter."""
    return inputs.dtype == torch.float32 and (inputs.is_cuda or interpreted())


def interpreted() -> bool:
    """Return whether programs are interpreted, which TRITON_INTERPRET=1 decides when triton is first imported."""
    from lrd.kernels.fused import arithmetic

    return type(arithmetic.tanh).__name__ == "InterpretedFunction"


def tiles(gates: int, batch: int, hidden: int, precision: str | None) -> Tiles:
    """Return the tiles of a program. They do not depend on the pack, and so neither do a run's numbers.

    Args:
        gates: How many blocks of ``hidden`` rows W has.
        batch: Samples a run.
        hidden: Units of the layer.
        precision: One of ``PRECISIONS``; None: TF32 where torch's own float32 products may be that, else float32.

    Raises:
        ValueError: There is no such precision.
    """
    if precision is None:
        precision = "tf32" if _torch_takes_tf32() else "float32"
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    name, padded = PRECISIONS[precision], _padded(hidden)
    resident, rows = _is_resident(gates, hidden, name), samples_a_program(gates, batch, hidden, precision)
    if name == "bfloat16" and interpreted():
        name = "rounded"
    units = padded if resident else min(UNITS, padded)
    return Tiles(rows, padded, min(INNER, padded), units, resident, name)


def samples_a_program(gates: int, batch: int, hidden: int, precision: str) -> int:
    """Return how many samples a program takes: more where W is read at every step; arguments as of ``tiles``."""
    return _LEAST if batch <= _LEAST or _is_resident(gates, hidden, PRECISIONS[precision]) else 2 * _LEAST


def _padded(hidden: int) -> int:
    return max(_LEAST, 1 << (hidden - 1).bit_length())


def _is_resident(gates: int, hidden: int, name: str) -> bool:
    padded = _padded(hidden)
    fits = gates * padded**2 * (2 if name == "bfloat16" else 4) <= RESIDENT_BYTES
    return fits and (name != "ieee" or padded <= RESIDENT_COLUMN)


def _torch_takes_tf32() -> bool:
    """Return torch's own switch, by its newer name where there is one, since reading both may be an error."""
    switch = torch.backends.cuda.matmul
    newer = getattr(switch, "fp32_precision", None)
    return bool(switch.allow_tf32) if newer is None else newer == "tf32"


def launch(program: Any, runs: int, batch: int, cut: Tiles, *args: Any, **constants: Any) -> None:
    """Run a program for each run and tile of samples, on the device of the first argument.

    Args:
        program: The Triton program.
        runs: Runs of the pack.
        batch: Samples a run.
        cut: How its work is cut.
        *args: Its arguments.
        **constants: Its constants, beside those of ``cut``.
    """
    device = args[0].device
    grid = (runs, -(-batch // cut.ROWS))
    with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
        # One stage: Triton then prefetches nothing asynchronously, which could pass by a barrier.
        program[grid](*args, **vars(cut), **constants, num_warps=cut.warps, num_stages=1)


def empty(like: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """Return a buffer all of which a program fills."""
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device)


def room(like: Tensor, *shape: int, wanted: bool, dtype: torch.dtype | None = None) -> Tensor:
    """Return a buffer where one is wanted; else a small one that no program reads or writes."""
    return empty(like, *(shape if wanted else (1,)), dtype=dtype)


def room_for_norms(like: Tensor, runs: int, time: int, batch: int, wanted: bool) -> tuple[Tensor, Tensor]:
    """Return buffers for the norms of the gradient of a state variable: sizes and powers (``GradientNorms.put``)."""
    of = runs, time, batch
    return room(like, *of, wanted=wanted), room(like, *of, wanted=wanted, dtype=torch.int32)


def copied(x: Tensor) -> Tensor:
    """Return a buffer with the numbers of ``x``, for a program to write on."""
    return x.clone(memory_format=torch.contiguous_format)


def started(start: Float[Tensor, "runs batch hidden"], time: int) -> Float[Tensor, "runs later batch hidden"]:
    """Return a buffer [runs, time + 1, batch, hidden] for a state variable, which begins with ``start``."""
    runs, batch, hidden = start.shape
    states = empty(start, runs, time + 1, batch, hidden)
    states[:, 0] = start
    return states


def into_parameters(
    delta: Float[Tensor, "runs time batch rows"], right: Float[Tensor, "runs time batch columns"], cut: Tiles
) -> Float[Tensor, "runs rows columns"]:
    """Return the gradient of a matrix M that multiplies y_t at every step, as one matrix multiply a run.

    In bfloat16 the factors are rounded to that, the sums are in float32 as tensor cores have them, and are rounded.

    Args:
        delta: The gradient of M y_t at every step.
        right: y_t of every step.
        cut: The tiles of the kernel, which hold its precision.
    """
    runs, time, batch, rows = delta.shape
    left, right = delta.reshape(runs, time * batch, rows), right.reshape(runs, time * batch, right.shape[3])
    return _product(left.transpose(1, 2), right, cut)


def into_inputs(
    delta: Float[Tensor, "runs time batch rows"], u: Float[Tensor, "runs rows inputs"], cut: Tiles
) -> Float[Tensor, "runs time batch inputs"]:
    """Return the gradient of x_t, which U multiplies at every step; arguments as of ``into_parameters``."""
    runs, time, batch, rows = delta.shape
    return _product(delta.reshape(runs, time * batch, rows), u, cut).view(runs, time, batch, -1)


def _product(left: Tensor, right: Tensor, cut: Tiles) -> Tensor:
    if cut.PRECISION in ("bfloat16", "rounded"):
        return products(left.bfloat16(), right.bfloat16()).to(left.dtype)
    return products(left, right)
