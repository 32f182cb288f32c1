"""The fused vanilla RNN: one Triton program for each run and tile of samples.

Reference: ``lrd.kernels.loop``; for any precision and device, ``lrd.kernels.packed_rnn``.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import RNN, Cell, Parameters, State
from lrd.kernels.fused import rnn_programs
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


class _FusedRNN(torch.autograd.Function):
    """The function (U, W, b, x, h_0) -> states [runs, steps, batch, hidden] from step ``first`` on, the last one."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, activation: str, first: int, cut: Tiles,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        a, w = input_products(x, u, b), w.contiguous()
        runs, time, batch, hidden = a.shape
        states = started(h0, time)
        launch(rnn_programs.forward, runs, batch, cut, a, w, states, time, batch, hidden, ACTIVATION=activation)
        ctx.save_for_backward(u, w, x, states)
        ctx.activation, ctx.first, ctx.cut, ctx.norms = activation, first, cut, norms
        return states[:, first + 1 :], states[:, -1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        u, w, x, states = ctx.saved_tensors
        runs, later, batch, hidden = states.shape
        time, norms, cut = later - 1, ctx.norms, ctx.cut
        delta, into_h0 = empty(states, runs, time, batch, hidden), copied(grad_last)
        asked = norms is not None
        scaled = room(states, runs, batch, hidden, wanted=asked and not cut.RESIDENT)
        size, power = room_for_norms(states, runs, time, batch, wanted=asked)
        launch(
            rnn_programs.backward, runs, batch, cut, grad.contiguous(), w, states, delta, into_h0, scaled, size, power,
            time, time - ctx.first, batch, hidden, NORMS=asked, ACTIVATION=ctx.activation,
        )  # fmt: skip
        if norms is not None:
            norms.put("h", size, power)
        into_w = into_parameters(delta, states[:, :-1], cut)
        into_x = into_inputs(delta, u, cut) if ctx.needs_input_grad[3] else None
        return into_parameters(delta, x, cut), into_w, delta.sum((1, 2)), into_x, into_h0, *(None,) * 4


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int,
    norms: GradientNorms | None,
    precision: str | None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the programs; arguments as of ``lrd.kernels.fused.scan_rnn``."""
    assert isinstance(cell, RNN)
    before = zero_state(cell, inputs) if state is None else state
    cut = tiles(1, inputs.shape[2], cell.hidden_size, precision)
    x = inputs.transpose(0, 1).contiguous()
    kept, last = _FusedRNN.apply(  # type: ignore[no-untyped-call]
        *(params[name] for name in "UWb"), x, *before, cell.activation, first, cut, norms
    )
    return kept.transpose(0, 1), (last,)
