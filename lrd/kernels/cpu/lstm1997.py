"""The LSTM of 1997 on the CPU: programs of ``lrd.kernels.cpu.lstm1997_programs`` as an autograd function."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM1997, Cell, Parameters, State
from lrd.kernels.cpu import lstm1997_programs
from lrd.kernels.cpu.layout import padded
from lrd.kernels.loop import zero_state
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Float, Tensor


class _LSTM1997(torch.autograd.Function):
    """The function (U, W, b, x, h_0, c_0, y_0) -> states h from step ``first`` on, h_T, c_T, y_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, c0: Tensor, y0: Tensor, cell: LSTM1997,
        first: int, norms: GradientNorms | None, keep_gates: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        (runs, time, batch, inputs), hidden = x.shape, h0.shape[2]
        seen = x.new_empty(runs, time, batch, w.shape[2] + inputs + 1)
        gates = x.new_empty(*((runs, time) if keep_gates else (1, 1)), batch, 4, padded(hidden))
        made = (x.new_empty(runs, time - first, batch, hidden), *(s.new_empty(s.shape) for s in (h0, c0, y0)))
        lstm1997_programs.forward(*_arrays(x, u, w, b, h0, c0, y0), *_ways(cell), *_arrays(seen, gates, *made))
        ctx.save_for_backward(u, w, b, seen, gates)
        ctx.cell, ctx.norms, ctx.inputs = cell, norms, inputs
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        u, w, b, seen, gates = ctx.saved_tensors
        runs, time, batch, _ = seen.shape
        inputs = ctx.inputs if ctx.needs_input_grad[3] else 0
        into = [p.new_empty(p.shape) for p in (u, w, b)]
        into += [seen.new_empty(runs, time, batch, inputs), *(on.new_empty(on.shape) for on in grads[1:])]
        sizes = seen.new_empty(3, runs, time, batch, dtype=torch.float64)
        powers = seen.new_empty(runs, time, batch, dtype=torch.int32)
        lstm1997_programs.backward(
            *_arrays(u, w), *_ways(ctx.cell), ctx.cell.truncated, *_arrays(seen, gates, *grads, *into, sizes, powers)
        )
        if ctx.norms is not None:
            for variable, size in zip("hcy", sizes, strict=True):
                ctx.norms.put(variable, size, powers)
        into_x = into[3] if inputs else None
        return *into[:3], into_x, *into[4:], *(None,) * 4


def _ways(cell: LSTM1997) -> tuple[int, bool, bool]:
    """Return the cells of a block, whether g is the logistic function, and whether h(c) = c."""
    return cell.block_size, cell.g == "logistic", cell.h == "identity"


def _arrays(*tensors: Tensor) -> list[Any]:
    """Return tensors as arrays of NumPy, which share their memory."""
    return [(tensor.detach() if tensor.requires_grad else tensor).numpy() for tensor in tensors]


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    norms: GradientNorms | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.cpu.scan_lstm1997``."""
    assert isinstance(cell, LSTM1997)
    u = params["U"]
    runs, rows, _ = u.shape
    w, b = params.get("W"), params.get("b")
    kept, *last = _LSTM1997.apply(  # type: ignore[no-untyped-call]
        u,
        u.new_empty(runs, rows, 0) if w is None else w,
        u.new_empty(runs, 0) if b is None else b,
        inputs.transpose(0, 1),
        *(zero_state(cell, inputs) if state is None else state),
        cell,
        first,
        norms,
        torch.is_grad_enabled(),
    )
    return kept.transpose(0, 1), tuple(last)
