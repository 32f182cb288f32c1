"""The fused GRU: one Triton program for each run and tile of samples.

Reference: ``lrd.kernels.loop``; for any precision and device, ``lrd.kernels.traced``.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import GRU, Cell, Parameters, State
from lrd.kernels.fused import gru_programs
from lrd.kernels.fused.launch import (
    Tiles,
    copied,
    empty,
    into_inputs,
    into_parameters,
    launch,
    room,
    room_for_norms,
    started,
    tiles,
)
from lrd.kernels.loop import zero_state
from lrd.kernels.norms import GradientNorms
from lrd.kernels.run_major import input_products
from lrd.shapes import Float, Tensor


class _FusedGRU(torch.autograd.Function):
    """The function (U, W, b, d, x, h_0) -> states [runs, steps, batch, hidden] from step ``first`` on, the last one."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, d: Tensor, x: Tensor, h0: Tensor, first: int, cut: Tiles,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        gates, w = input_products(x, u, b), w.contiguous()
        runs, time, batch, _ = gates.shape
        states, from_h = started(h0, time), empty(gates, runs, time, batch, w.shape[2])
        launch(
            gru_programs.forward, runs, batch, cut, gates, w, d.contiguous(), states, from_h, time, batch, w.shape[2]
        )
        ctx.save_for_backward(u, w, x, gates, from_h, states)
        ctx.first, ctx.cut, ctx.norms = first, cut, norms
        return states[:, first + 1 :], states[:, -1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        u, w, x, gates, from_h, states = ctx.saved_tensors
        runs, time, batch, hidden = from_h.shape
        cut, norms, asked = ctx.cut, ctx.norms, ctx.norms is not None
        delta, into_h0 = empty(gates, runs, time, batch, 4 * hidden), copied(grad_last)
        scaled = room(gates, runs, batch, 3 * hidden, wanted=asked and not cut.RESIDENT)
        size, power = room_for_norms(gates, runs, time, batch, wanted=asked)
        launch(
            gru_programs.backward, runs, batch, cut, grad.contiguous(), w, gates, from_h, states, delta, into_h0,
            scaled, size, power, time, time - ctx.first, batch, hidden, NORMS=asked,
        )  # fmt: skip
        if norms is not None:
            norms.put("h", size, power)
        into_u, into_b = into_parameters(delta[..., : 3 * hidden], x, cut), delta.sum((1, 2))
        n_last = [slice(hidden, 3 * hidden), slice(hidden)]  # rows n, r, z in the order of the parameters
        into_u, into_d = torch.cat([into_u[:, rows] for rows in n_last], 1), into_b[:, 3 * hidden :]
        into_b = torch.cat([into_b[:, rows] for rows in n_last], 1)
        into_w = into_parameters(delta[..., hidden:], states[:, :-1], cut)
        into_x = None
        if ctx.needs_input_grad[4]:
            n_first = torch.cat([u[:, 2 * hidden :], u[:, : 2 * hidden]], 1)  # rows in the order of delta
            into_x = into_inputs(delta[..., : 3 * hidden], n_first, cut)
        return into_u, into_w, into_b, into_d, into_x, into_h0, *(None,) * 3


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    norms: GradientNorms | None,
    precision: str | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.fused.scan_gru``."""
    assert isinstance(cell, GRU)
    before = zero_state(cell, inputs) if state is None else state
    cut = tiles(3, inputs.shape[2], cell.hidden_size, precision)
    x = inputs.transpose(0, 1).contiguous()
    kept, last = _FusedGRU.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWbd"), x, *before, first, cut, norms
    )
    return kept.transpose(0, 1), (last,)
