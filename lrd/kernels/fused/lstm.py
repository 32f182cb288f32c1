"""The fused LSTM: one Triton program for each run and tile of samples, whose backward pass can be cut in h.

Reference: ``lrd.kernels.loop``; for any precision and device, ``lrd.kernels.packed_lstm``.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, Cell, Parameters, State
from lrd.kernels.fused import lstm_programs
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


class _FusedLSTM(torch.autograd.Function):
    """The function (U, W, b, x, h_0, c_0, k [runs, time] or None) -> states h from step ``first`` on, h_T, c_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, c0: Tensor, keep: Tensor | None, first: int,
        cut: Tiles, norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        gates, w = input_products(x, u, b), w.contiguous()
        runs, time, batch, _ = gates.shape
        states, cells = started(h0, time), started(c0, time)
        launch(lstm_programs.forward, runs, batch, cut, gates, w, states, cells, time, batch, w.shape[2])
        ctx.save_for_backward(u, w, x, keep, gates, states, cells)
        ctx.first, ctx.cut, ctx.norms = first, cut, norms
        return states[:, first + 1 :], states[:, -1].clone(), cells[:, -1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        u, w, x, keep, gates, states, cells = ctx.saved_tensors
        runs, time, batch, _ = gates.shape
        hidden, cut, norms, asked = w.shape[2], ctx.cut, ctx.norms, ctx.norms is not None
        delta, into_h0, into_c0 = empty(gates, *gates.shape), copied(grad_h), copied(grad_c)
        scaled = room(gates, runs, batch, 4 * hidden, wanted=asked and not cut.RESIDENT)
        sizes, powers = zip(*(room_for_norms(gates, runs, time, batch, wanted=asked) for _ in "hc"), strict=True)
        launch(
            lstm_programs.backward, runs, batch, cut, grad.contiguous(), w, gates, cells,
            grad if keep is None else keep.to(grad.dtype).contiguous(), delta, into_h0, into_c0, scaled,
            *sizes, *powers, time, time - ctx.first, batch, hidden, CUT=keep is not None, NORMS=asked,
        )  # fmt: skip
        if norms is not None:
            for variable, size, power in zip("hc", sizes, powers, strict=True):
                norms.put(variable, size, power)
        into_w = into_parameters(delta, states[:, :-1], cut)
        into_b = delta.sum((1, 2))
        into_x = into_inputs(delta, u, cut) if ctx.needs_input_grad[3] else None
        return into_parameters(delta, x, cut), into_w, into_b, into_x, into_h0, into_c0, *(None,) * 4


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    keep: Float[Tensor, "runs time"] | None,
    norms: GradientNorms | None,
    precision: str | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.fused.scan_lstm``."""
    assert isinstance(cell, LSTM)
    before = zero_state(cell, inputs) if state is None else state
    cut = tiles(4, inputs.shape[2], cell.hidden_size, precision)
    x = inputs.transpose(0, 1).contiguous()
    kept, *last = _FusedLSTM.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWb"), x, *before, keep, first, cut, norms
    )
    return kept.transpose(0, 1), tuple(last)
