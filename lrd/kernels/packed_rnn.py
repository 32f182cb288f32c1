"""The vanilla RNN of a whole pack in one loop over time: two operations a step forward, two backward.

Reference: ``lrd.kernels.loop``. With pre-activation gradients delta_t and D_t = f'(a_t),

    h_t = f(U x_t + W h_{t-1} + b),      delta_t = D_t (dL/dh_t directly + W^T delta_{t+1}),
    dL/dU = sum_t delta_t x_t^T,         dL/dW = sum_t delta_t h_{t-1}^T,         dL/db = sum_t delta_t,
    dL/dx_t = U^T delta_t, where x_t is the state of a layer below.

Storage is run-major, and products go through a tensor without gaps (``lrd.kernels.run_major``). D_t is made of the
stored h_t (1 - h_t^2), by torch's own backward of the activation: one pass over what is in the cache. The slopes of
``lrd.gradients.closed_forms`` are exact for saturated units and cost an exponential each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lrd.cells import RNN, Cell, Parameters, State
from lrd.kernels.norms import GradientNorms
from lrd.kernels.run_major import groups, input_gradients, input_products, parameter_gradients, products_of
from lrd.kernels.scaled_backward import scaled_backward
from lrd.shapes import Float, Tensor

# h <- f(a), perhaps in place.
_ACTIVATED: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tanh": lambda a, h: torch.tanh(a, out=h),
    "relu": lambda a, h: torch.clamp_min(a, 0, out=h),
    # Not torch.sigmoid, whose last bit depends on where in a tensor, and so in which pack, a number stands.
    "sigmoid": lambda a, h: torch.neg(a, out=h).exp_().add_(1).reciprocal_(),
    "identity": lambda a, h: h if h is a else h.copy_(a),
}

_ATEN = torch.ops.aten
# out <- f'(a) d from h = f(a), perhaps in place: one pass over what is in the cache, no slopes for the whole sequence.
_THROUGH: dict[str, Callable[[Tensor, Tensor, Tensor], Any]] = {
    "tanh": lambda d, h, out: _ATEN.tanh_backward.grad_input(d, h, grad_input=out),
    "relu": lambda d, h, out: _ATEN.threshold_backward.grad_input(d, h, 0, grad_input=out),
    "sigmoid": lambda d, h, out: _ATEN.sigmoid_backward.grad_input(d, h, grad_input=out),
    "identity": lambda d, h, out: d if d is out else out.copy_(d),
}


class _Loop(torch.autograd.Function):
    """The loop as an autograd function.

    (U, W, b, x, h_0) -> states [runs, time, batch, hidden] from ``first`` on, which get gradients, and the last state.
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, activation: str, first: int,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        act = _ACTIVATED[activation]
        states = input_products(x, u, b)
        for group in groups(states, w):
            w_t = w[group].transpose(1, 2).contiguous()  # products with a transposed view take a fifth longer
            h, hs = h0[group], states[group].unbind(1)
            for h_t, a in zip(hs, products_of(hs), strict=True):
                h = act(torch.baddbmm(h_t, h, w_t, out=a), h_t)
        ctx.save_for_backward(u, w, x, h0, states)
        ctx.activation, ctx.first, ctx.norms = activation, first, norms
        return states[:, first:], states[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:
        u, w, x, h0, states = ctx.saved_tensors
        delta = torch.empty_like(states)
        into_h0 = torch.empty_like(h0)
        found = []
        for group in groups(states, w):
            steps = _Back(w[group], states[group], delta[group], ctx.activation, ctx.first)
            last, direct = grad_last[group], grad[group]
            if ctx.norms is None:
                (d,), _ = steps(0, states.shape[1], [last], direct, keep=False)
            else:
                (d,), (size,), power = scaled_backward(steps, states.shape[1], ctx.first, direct, [last], delta[group])
                found.append((size, power))
            torch.bmm(d, w[group], out=into_h0[group])
        if ctx.norms is not None:
            ctx.norms.put("h", *map(torch.cat, zip(*found, strict=True)))
        into_x = input_gradients(delta, u) if ctx.needs_input_grad[3] else None
        return *parameter_gradients(delta, x, h0, states), into_x, into_h0, None, None, None


class _Back:
    """The backward pass of a group of runs, some steps at a time (see ``lrd.kernels.scaled_backward.Steps``).

    What arrives at step t is delta_{t+1}; at the last step, dL/dh of the last state; before the first step, delta_0.
    """

    def __init__(self, w: Tensor, states: Tensor, deltas: Tensor, activation: str, first: int) -> None:
        self._w, self._hs, self._deltas = w, states.unbind(1), deltas.unbind(1)
        self._outs = products_of(self._deltas)
        self._through, self._first = _THROUGH[activation], first

    def __call__(
        self, low: int, high: int, arriving: list[Tensor], direct: Tensor, keep: bool = True
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Take the gradients from step ``high`` back to step ``low``.

        Without ``keep`` no total gradients are given: they turn into pre-activation gradients in place.
        """
        (d,), w, last = arriving, self._w, len(self._hs) - 1
        totals = d.new_empty(high - low, *d.shape) if keep else None
        outs = self._outs[low:high] if totals is None else totals.unbind(0)
        outside, scored = direct.unbind(1), max(self._first, low)
        for t in range(high - 1, low - 1, -1):
            total = outs[t - low]
            if t == last:
                total.copy_(d)
                if t >= scored:
                    total += outside[-1]
            elif t >= scored:
                torch.baddbmm(outside[t - scored], d, w, out=total)
            else:
                torch.bmm(d, w, out=total)
            d = self._through(total, self._hs[t], self._deltas[t])
        return [d], [] if totals is None else [totals.transpose(0, 1)]


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run a pack of RNNs by the kernel protocol (see ``lrd.kernels``).

    Args:
        cell: which must be an ``RNN``.
        params: of the pack.
        inputs: of the pack.
        state: before the first step; None: zeros.
        first: h is wanted from this step on.
        norms: filled when gradients are taken.
    """
    assert isinstance(cell, RNN)
    _, runs, batch, _ = inputs.shape
    h0 = inputs.new_zeros(runs, batch, cell.hidden_size) if state is None else state[0]
    x = inputs.transpose(0, 1).contiguous()
    kept, last = _Loop.apply(  # type: ignore[no-untyped-call]
        params["U"], params["W"], params["b"], x, h0, cell.activation, first, norms
    )
    return kept.transpose(0, 1), (last,)
