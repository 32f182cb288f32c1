"""The vanilla RNN on the CPU: programs of ``lrd.kernels.cpu.rnn_programs`` as an autograd function."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import RNN, Cell, Parameters, State
from lrd.kernels.cpu import rnn_programs
from lrd.kernels.cpu.layout import (
    Gradients,
    by_columns,
    by_rows,
    joined_weights,
    parted_weights,
    seen_by_steps,
    widened,
)
from lrd.kernels.loop import zero_state
from lrd.kernels.norms import GradientNorms
from lrd.shapes import Float, Tensor


class _RNN(torch.autograd.Function):
    """The function (U, W, b, x, h_0) -> states h from step ``first`` on, h_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, activation: int, first: int,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        joined, seen, hidden = joined_weights(u, w, b), seen_by_steps(x, h0), w.shape[2]
        rnn_programs.forward(seen.numpy(), by_columns(joined)[:, 0].numpy(), activation)
        ctx.save_for_backward(joined, seen)
        ctx.activation, ctx.norms, ctx.hidden, ctx.inputs = activation, norms, hidden, x.shape[3]
        h = seen[..., :hidden]
        return h[:, first + 1 :].contiguous(), h[:, -1].contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor) -> tuple[Tensor | None, ...]:
        joined, seen = ctx.saved_tensors
        units, inputs = joined.shape[2], ctx.inputs if ctx.needs_input_grad[3] else 0
        w, u = by_rows(joined[..., :units]), by_rows(joined[..., units : units + inputs])
        found = Gradients.of([grad_h], joined, seen.shape[1] - 1, inputs)
        given = (seen, widened(grad, units), w, u)
        rnn_programs.backward(*(tensor.numpy() for tensor in given), *found.arrays(), ctx.activation)
        if ctx.norms is not None:
            ctx.norms.put("h", found.sizes[0], found.powers)
        into_x = found.into_x if inputs else None
        return *parted_weights(found.into_seen, 1, ctx.hidden), into_x, *found.initial(ctx.hidden), None, None, None


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    norms: GradientNorms | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.cpu.scan_rnn``."""
    assert isinstance(cell, RNN)
    (h0,) = zero_state(cell, inputs) if state is None else state
    activation = rnn_programs.ACTIVATIONS[cell.activation]
    kept, last = _RNN.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWb"), inputs.transpose(0, 1), h0, activation, first, norms
    )
    return kept.transpose(0, 1), (last,)
