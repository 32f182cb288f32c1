"""The LSTM on the CPU: programs of ``lrd.kernels.cpu.lstm_programs`` as an autograd function."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, Cell, Parameters, State
from lrd.kernels.cpu import lstm_programs
from lrd.kernels.cpu.layout import (
    Gradients,
    by_columns,
    by_rows,
    joined_weights,
    padded,
    parted_weights,
    seen_by_steps,
    widened,
)
from lrd.kernels.loop import zero_state
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Float, Tensor


class _LSTM(torch.autograd.Function):
    """The function (U, W, b, x, h_0, c_0, k [runs, time] or None) -> states h from step ``first`` on, h_T, c_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, c0: Tensor, keep: Tensor | None, first: int,
        norms: GradientNorms | None, keep_gates: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        (runs, time, batch, _), hidden = x.shape, w.shape[2]
        joined, seen, units = joined_weights(u, w, b), seen_by_steps(x, h0), padded(hidden)
        cells = x.new_empty(runs, time + 1, batch, units)
        cells[:, 0] = widened(c0, units)
        gates = x.new_empty(*((runs, time) if keep_gates else (1, 1)), batch, 4, units)
        lstm_programs.forward(seen.numpy(), gates.numpy(), cells.numpy(), by_columns(joined).numpy())
        ctx.save_for_backward(joined, keep, seen, gates, cells)
        ctx.norms, ctx.hidden, ctx.inputs = norms, hidden, x.shape[3]
        h = seen[..., :hidden]
        return h[:, first + 1 :].contiguous(), h[:, -1].contiguous(), cells[:, -1, :, :hidden].contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        joined, keep, seen, gates, cells = ctx.saved_tensors
        runs, time, _, _, units = gates.shape
        inputs = ctx.inputs if ctx.needs_input_grad[3] else 0
        kept = seen.new_empty(runs, 0) if keep is None else keep.to(seen.dtype).contiguous()
        w, u = by_rows(joined[..., :units]), by_rows(joined[..., units : units + inputs])
        found = Gradients.of([grad_h, grad_c], joined, time, inputs)
        given = (seen, gates, cells, widened(grad, units), kept, w, u)
        lstm_programs.backward(*(tensor.numpy() for tensor in given), *found.arrays())
        if ctx.norms is not None:
            for variable, size in zip("hc", found.sizes, strict=True):
                ctx.norms.put(variable, size, found.powers)
        into_x = found.into_x if inputs else None
        return *parted_weights(found.into_seen, 4, ctx.hidden), into_x, *found.initial(ctx.hidden), *(None,) * 4


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    keep: Float[Tensor, "runs time"] | None,
    norms: GradientNorms | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.cpu.scan_lstm``."""
    assert isinstance(cell, LSTM)
    before = zero_state(cell, inputs) if state is None else state
    kept, *last = _LSTM.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWb"), inputs.transpose(0, 1), *before, keep, first, norms, torch.is_grad_enabled()
    )
    return kept.transpose(0, 1), tuple(last)
