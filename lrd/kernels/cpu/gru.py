"""The GRU on the CPU: programs of ``lrd.kernels.cpu.gru_programs`` as an autograd function."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import GRU, Cell, Parameters, State
from lrd.kernels.cpu import gru_programs
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


def _four_rows(u: Tensor, w: Tensor, b: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, W and b of r, z, v and n, where torch's n is parted into v, which sees h, and n, which sees x."""
    n = w.shape[2]
    of_u, of_w, of_b = u[:, : 2 * n], w[:, : 2 * n], b[:, : 2 * n]
    return (
        torch.cat([of_u, torch.zeros_like(u[:, 2 * n :]), u[:, 2 * n :]], 1),
        torch.cat([of_w, w[:, 2 * n :], torch.zeros_like(w[:, 2 * n :])], 1),
        torch.cat([of_b, d, b[:, 2 * n :]], 1),
    )


def _three_rows(u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of U, W, b and d from those of ``_four_rows``."""
    n = w.shape[2]
    without_v = [torch.cat([of[:, : 2 * n], of[:, 3 * n :]], 1) for of in (u, b)]
    return without_v[0], w[:, : 3 * n], without_v[1], b[:, 2 * n : 3 * n]


class _GRU(torch.autograd.Function):
    """The function (U, W, b, d, x, h_0) -> states h from step ``first`` on, h_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, d: Tensor, x: Tensor, h0: Tensor, first: int,
        norms: GradientNorms | None, keep_gates: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        (runs, time, batch, _), hidden = x.shape, w.shape[2]
        joined, seen = joined_weights(*_four_rows(u, w, b, d)), seen_by_steps(x, h0)
        gates = x.new_empty(*((runs, time) if keep_gates else (1, 1)), batch, 4, padded(hidden))
        gru_programs.forward(seen.numpy(), gates.numpy(), by_columns(joined).numpy())
        ctx.save_for_backward(joined, seen, gates)
        ctx.norms, ctx.hidden, ctx.inputs = norms, hidden, x.shape[3]
        h = seen[..., :hidden]
        return h[:, first + 1 :].contiguous(), h[:, -1].contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor) -> tuple[Tensor | None, ...]:
        joined, seen, gates = ctx.saved_tensors
        units, inputs = joined.shape[2], ctx.inputs if ctx.needs_input_grad[4] else 0
        w, u = by_rows(joined[:, :3, :, :units]), by_rows(joined[..., units : units + inputs])
        found = Gradients.of([grad_h], joined, gates.shape[1], inputs)
        given = (seen, gates, widened(grad, units), w, u)
        gru_programs.backward(*(tensor.numpy() for tensor in given), *found.arrays())
        if ctx.norms is not None:
            ctx.norms.put("h", found.sizes[0], found.powers)
        into_x = found.into_x if inputs else None
        rows = _three_rows(*parted_weights(found.into_seen, 4, ctx.hidden))
        return *rows, into_x, *found.initial(ctx.hidden), None, None, None


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    norms: GradientNorms | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.cpu.scan_gru``."""
    assert isinstance(cell, GRU)
    (h0,) = zero_state(cell, inputs) if state is None else state
    kept, last = _GRU.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWbd"), inputs.transpose(0, 1), h0, first, norms, torch.is_grad_enabled()
    )
    return kept.transpose(0, 1), (last,)
