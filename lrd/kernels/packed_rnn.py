"""The vanilla RNN of a whole pack in one loop over time: two operations a step forward, two backward.

Reference: ``lrd.kernels.loop``. With pre-activation gradients delta_t and D_t = f'(a_t),

    h_t = f(U x_t + W h_{t-1} + b),      delta_t = D_t (dL/dh_t directly + W^T delta_{t+1}),
    dL/dU = sum_t delta_t x_t^T,         dL/dW = sum_t delta_t h_{t-1}^T,         dL/db = sum_t delta_t.

Storage is run-major (``lrd.kernels.run_major``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lrd.cells import RNN, Cell, Parameters, State
from lrd.kernels.run_major import groups, input_products, parameter_gradients
from lrd.shapes import Float, Tensor

# In place: the loop writes pre-activations straight into the states' storage.
_IN_PLACE: dict[str, Callable[[Tensor], Any]] = {
    "tanh": torch.tanh_,
    "relu": torch.relu_,
    # Not torch.sigmoid_, whose last bit depends on where in a tensor, and so in which pack, a number stands.
    "sigmoid": lambda a: a.neg_().exp_().add_(1).reciprocal_(),
    "identity": lambda a: a,
}

_ATEN = torch.ops.aten
# d <- f'(a) d in place, from h = f(a): one pass over what is in the cache, instead of slopes for the whole sequence.
_THROUGH: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tanh": lambda d, h: _ATEN.tanh_backward.grad_input(d, h, grad_input=d),
    "relu": lambda d, h: _ATEN.threshold_backward.grad_input(d, h, 0, grad_input=d),
    "sigmoid": lambda d, h: _ATEN.sigmoid_backward.grad_input(d, h, grad_input=d),
    "identity": lambda d, h: d,
}


class _Loop(torch.autograd.Function):
    """(U, W, b, x, h_0) -> states [runs, time, batch, hidden], of which the steps from ``first`` on get gradients."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, activation: str, first: int
    ) -> tuple[Tensor, Tensor]:
        act = _IN_PLACE[activation]
        states = input_products(x, u, b)
        for group in groups(states):
            w_t = w[group].transpose(1, 2).contiguous()  # products with a transposed view take a fifth longer
            h = h0[group]
            for h_t in states[group].unbind(1):
                h = torch.baddbmm(h_t, h, w_t, out=h_t)
                act(h)
        ctx.save_for_backward(w, x, h0, states)
        ctx.activation, ctx.first = activation, first
        return states[:, first:], states[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        w, x, h0, states = ctx.saved_tensors
        time = states.shape[1]
        through, first = _THROUGH[ctx.activation], ctx.first
        delta = torch.empty_like(states)
        into_h0 = torch.empty_like(h0)
        for group in groups(states):
            hs, direct, deltas, w_g = states[group].unbind(1), grad[group].unbind(1), delta[group].unbind(1), w[group]
            d = deltas[-1].copy_(grad_last[group])
            if first < time:
                d += direct[-1]
            through(d, hs[-1])
            for t in range(time - 2, -1, -1):
                if t >= first:
                    d = torch.baddbmm(direct[t - first], d, w_g, out=deltas[t])
                else:
                    d = torch.bmm(d, w_g, out=deltas[t])
                through(d, hs[t])
            torch.bmm(d, w_g, out=into_h0[group])
        return *parameter_gradients(delta, x, h0, states), None, into_h0, None, None


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """The kernel protocol (see ``lrd.kernels``) for ``RNN``."""
    assert isinstance(cell, RNN)
    _, runs, batch, _ = inputs.shape
    h0 = inputs.new_zeros(runs, batch, cell.hidden_size) if state is None else state[0]
    x = inputs.transpose(0, 1).contiguous()
    kept, last = _Loop.apply(  # type: ignore[no-untyped-call]
        params["U"], params["W"], params["b"], x, h0, cell.activation, first
    )
    return kept.transpose(0, 1), (last,)
