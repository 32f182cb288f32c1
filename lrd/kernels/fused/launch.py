"""What the host does around the programs of a fused kernel: tiles, precision, buffers, and products over all steps."""

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
#: Bytes of W up to which a program holds it, and blocks in which larger ones are read at every step: so that ptxas
#: spills at most a dozen numbers a thread to memory, for the H100 (sm_90). Compiled with that in mind, not timed.
RESIDENT_BYTES = 64 * 2**10
#: Strict float32 products give a thread whole columns of W, of which longer ones spill.
RESIDENT_COLUMN = 64
INNER, UNITS = 16, 32
_LEAST = 16  # the smallest tile that tensor cores multiply


@dataclass(frozen=True)
class Tiles:
    """How a program cuts its work (see ``lrd.kernels.fused``), and its precision as Triton calls it."""

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
    """Whether the programs can take these inputs: float32 on a GPU, or anywhere in Triton's interpreter."""
    return inputs.dtype == torch.float32 and (inputs.is_cuda or interpreted())


def interpreted() -> bool:
    """Whether programs are interpreted, which is settled by TRITON_INTERPRET=1 when triton is first imported."""
    from lrd.kernels.fused import arithmetic

    return type(arithmetic.tanh).__name__ == "InterpretedFunction"


def tiles(gates: int, batch: int, hidden: int, precision: str | None) -> Tiles:
    """The tiles for W [gates * hidden, hidden]. They do not depend on the pack, nor do a run's numbers.

    Raises ``ValueError`` for an unknown precision.
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
    """ROWS of ``tiles``: more samples for each reading of W, where it is read at every step."""
    return _LEAST if batch <= _LEAST or _is_resident(gates, hidden, PRECISIONS[precision]) else 2 * _LEAST


def _padded(hidden: int) -> int:
    return max(_LEAST, 1 << (hidden - 1).bit_length())


def _is_resident(gates: int, hidden: int, name: str) -> bool:
    padded = _padded(hidden)
    fits = gates * padded**2 * (2 if name == "bfloat16" else 4) <= RESIDENT_BYTES
    return fits and (name != "ieee" or padded <= RESIDENT_COLUMN)


def _torch_takes_tf32() -> bool:
    """Torch's own switch; the newer name of it where there is one, since reading both may be an error."""
    switch = torch.backends.cuda.matmul
    newer = getattr(switch, "fp32_precision", None)
    return bool(switch.allow_tf32) if newer is None else newer == "tf32"


def launch(program: Any, runs: int, batch: int, cut: Tiles, *args: Any, **constants: Any) -> None:
    """One program a (run, tile of samples), on the device of the first argument."""
    device = args[0].device
    grid = (runs, -(-batch // cut.ROWS))
    with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
        # One stage: Triton then prefetches nothing asynchronously, which could pass by a barrier.
        program[grid](*args, **vars(cut), **constants, num_warps=cut.warps, num_stages=1)


def empty(like: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """A buffer that a program fills; all of it."""
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device)


def room(like: Tensor, *shape: int, wanted: bool, dtype: torch.dtype | None = None) -> Tensor:
    """A buffer where one is wanted; else one that no program reads or writes."""
    return empty(like, *(shape if wanted else (1,)), dtype=dtype)


def copied(x: Tensor) -> Tensor:
    """A buffer with these numbers, for a program to write on."""
    return x.clone(memory_format=torch.contiguous_format)


def started(start: Float[Tensor, "runs batch hidden"], time: int) -> Float[Tensor, "runs later batch hidden"]:
    """Room for a state variable after every step, behind that before the first: [runs, time + 1, batch, hidden]."""
    runs, batch, hidden = start.shape
    states = empty(start, runs, time + 1, batch, hidden)
    states[:, 0] = start
    return states


def into_parameters(
    delta: Float[Tensor, "runs time batch rows"], right: Float[Tensor, "runs time batch columns"], cut: Tiles
) -> Float[Tensor, "runs rows columns"]:
    """The gradient of M from delta_t, the gradients of products M y_t, and from y_t: one matrix multiply a run.

    In bfloat16 of numbers rounded to that, summed in float32 as tensor cores do, and rounded once more.
    """
    runs, time, batch, rows = delta.shape
    left, right = delta.reshape(runs, time * batch, rows), right.reshape(runs, time * batch, right.shape[3])
    if cut.PRECISION in ("bfloat16", "rounded"):
        return products(left.bfloat16().transpose(1, 2), right.bfloat16()).to(delta.dtype)
    return products(left.transpose(1, 2), right)
