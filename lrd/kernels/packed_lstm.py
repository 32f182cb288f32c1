"""The LSTM of a whole pack in one loop over time, whose gradient through h can be cut at chosen steps.

Reference: ``lrd.kernels.loop``. With a_t = U x_t + W h_{t-1} + b, delta_t = dL/da_t of the gates g, i, f, o, and
q_t = o_t (1 - tanh(c_t)^2),

    dh_t = dL/dh_t directly + k_{t+1} W^T delta_{t+1},       dc_t = q_t dh_t + f_{t+1} dc_{t+1},
    delta_t = (dc_t i_t (1 - g_t^2), dc_t g_t i_t (1 - i_t), dc_t c_{t-1} f_t (1 - f_t), dh_t tanh(c_t) o_t (1 - o_t)).

k_t = 1 is the gradient; k_t = 0 takes h_{t-1} for a constant in all gates of step t, as h-detach does (Kanuparthi et
al. 2019, algorithm 1). Where nothing is to be cut, torch's own kernel (``lrd.kernels.stock``) is faster on the CPU.

Storage is run-major (``lrd.kernels.run_major``), the gates in the order g, i, f, o: those that pass by c_t stand
together, and so do the logistic ones. Slopes are made of the stored activations, four steps at a time and in place, and
not shared with ``lrd.gradients.closed_forms``: those are exact for saturated units, and cost an exponential each.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, Cell, Parameters, State
from lrd.kernels.norms import GradientNorms
from lrd.kernels.run_major import groups, input_gradients, input_products, parameter_gradients, products_of
from lrd.kernels.scaled_backward import scaled_backward
from lrd.shapes import Float, Tensor

BLOCK = 4  # steps whose slopes are made at once


def _g_first(rows: Tensor) -> Tensor:
    """Return rows [runs, 4 hidden, ...] of the gates i, f, g, o in the order g, i, f, o."""
    i, f, g, o = rows.chunk(4, dim=1)
    return torch.cat([g, i, f, o], dim=1)


def _negative(rows: Tensor, hidden: int) -> Tensor:
    """Return rows [runs, 4 hidden, ...] of g, i, f, o with those of the logistic gates negative, for exp(-a)."""
    return torch.cat([rows[:, :hidden], -rows[:, hidden:]], dim=1)


class _Loop(torch.autograd.Function):
    """The loop as an autograd function.

    (U, W, b with rows g, i, f, o; x, h_0, c_0, k [runs, time] or None) -> states h from ``first`` on, h_T, c_T.
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, c0: Tensor, keep: Tensor | None, first: int,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        hidden, given_u = w.shape[2], u
        u, w_t, b = (_negative(of, hidden) for of in (u, w, b))
        w_t = w_t.transpose(1, 2).contiguous()
        gates = input_products(x, u, b)
        states, cells = (gates.new_empty(*gates.shape[:3], hidden) for _ in range(2))
        for group in groups(gates, w):
            h, c, into = h0[group], c0[group], w_t[group]
            of = gates[group]
            parts = (of, *torch.split(of, hidden, dim=-1), of[..., hidden:], states[group], cells[group])
            steps = [x.unbind(1) for x in parts]
            for a, gates_t, g, i, f, o, logistic, h_t, c_t in zip(products_of(steps[0]), *steps, strict=True):
                torch.baddbmm(gates_t, h, into, out=a)
                torch.tanh(a[..., :hidden], out=g)
                # Not torch.sigmoid, whose last bit depends on where in a tensor, and so in a pack, a number stands.
                torch.exp(a[..., hidden:], out=logistic).add_(1).reciprocal_()
                c = torch.mul(f, c, out=c_t).add_(i * g)
                h = torch.tanh(c, out=h_t).mul_(o)
        ctx.save_for_backward(given_u, w, x, h0, c0, keep, gates, states, cells)
        ctx.first, ctx.norms = first, norms
        return states[:, first:], states[:, -1].clone(), cells[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        u, w, x, h0, c0, keep, gates, states, cells = ctx.saved_tensors
        delta, into_h0, into_c0 = torch.empty_like(gates), torch.empty_like(h0), torch.empty_like(c0)
        found = []
        for group in groups(gates, w):
            kept = None if keep is None else keep[group]
            steps = _Back(w[group], gates[group], states[group], cells[group], c0[group], kept, delta[group], ctx.first)
            last, direct = [grad_h[group], grad_c[group]], grad[group]
            if ctx.norms is None:
                into, _ = steps(0, states.shape[1], last, direct, keep=False)
            else:
                into, of_group, power = scaled_backward(steps, states.shape[1], ctx.first, direct, last, delta[group])
                found.append((*of_group, power))
            into_h0[group], into_c0[group] = into
        if ctx.norms is not None:
            *sizes, power = map(torch.cat, zip(*found, strict=True))
            for variable, size in zip("hc", sizes, strict=True):
                ctx.norms.put(variable, size, power)
        into_x = input_gradients(delta, u) if ctx.needs_input_grad[3] else None
        return *parameter_gradients(delta, x, h0, states), into_x, into_h0, into_c0, None, None, None


class _Back:
    """The backward pass of a group of runs, some steps at a time (see ``lrd.kernels.scaled_backward.Steps``)."""

    def __init__(
        self, w: Tensor, gates: Tensor, states: Tensor, cells: Tensor, c0: Tensor, kept: Tensor | None,
        deltas: Tensor, first: int,
    ) -> None:  # fmt: skip
        hidden = w.shape[2]
        self._w, self._first, self._slopes = w, first, _Slopes(gates, states, cells, c0)
        forget = gates[..., 2 * hidden : 3 * hidden]
        by_cell = torch.unflatten(deltas[..., : 3 * hidden], -1, (3, hidden))
        parts = (deltas, by_cell, deltas[..., 3 * hidden :], forget)
        self._by_step = list(zip(*(x.unbind(1) for x in parts), strict=True))
        self._kept = None if kept is None else kept[:, :, None, None].unbind(1)

    def __call__(
        self, low: int, high: int, arriving: list[Tensor], direct: Tensor, keep: bool = True
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Take the gradients from step ``high`` back to step ``low``; total gradients are given with ``keep`` alone."""
        (dh, dc), totals = arriving, []
        outside, scored = direct.unbind(1), max(self._first, low)
        if keep:
            totals = [dh.new_empty(dh.shape[0], high - low, *dh.shape[1:]) for _ in range(2)]
            slots = list(zip(*(x.unbind(1) for x in totals), strict=True))
        for t in range(high - 1, low - 1, -1):
            d, into_cell, into_o, f = self._by_step[t]
            of_cell, of_o, h_to_c = self._slopes.at(t)
            if t >= scored:
                dh = dh + outside[t - scored]
            in_h, in_c = slots[t - low] if keep else (None, None)
            if in_h is not None:
                in_h.copy_(dh)
            dc = torch.mul(dh, h_to_c, out=in_c).add_(dc)
            torch.mul(of_cell, dc.unsqueeze(-2), out=into_cell)
            torch.mul(of_o, dh, out=into_o)
            dc = dc * f
            dh = torch.bmm(d, self._w)
            if self._kept is not None:
                dh *= self._kept[t]
        return [dh, dc], totals


class _Slopes:
    """The slopes of every step: what takes dc_t to delta_t of g, i and f, dh_t to that of o, and dh_t to dc_t (q_t).

    On the CPU they are made for a few steps at a time, in the same place, while the activations are in the cache.
    """

    def __init__(
        self,
        gates: Float[Tensor, "runs time batch gates"],
        states: Float[Tensor, "runs time batch hidden"],
        cells: Float[Tensor, "runs time batch hidden"],
        c0: Float[Tensor, "runs batch hidden"],
    ) -> None:
        self._gates, self._states, self._cells, self._c0 = gates, states, cells, c0
        runs, time, batch, hidden = cells.shape
        self._length = min(time, BLOCK) if gates.is_cpu else time
        self._scratch = gates.new_empty(6, runs, self._length, batch, hidden)
        self._one = gates.new_ones(())
        self._start, self._steps = -1, list[tuple[Tensor, ...]]()

    def at(self, t: int) -> tuple[Tensor, ...]:
        """Return those of step t: [runs, batch, 3, hidden] of g, i and f, [runs, batch, hidden] of o, and q_t.

        They hold until steps of another block are asked for.
        """
        start = t - t % self._length
        if start != self._start:
            self._start, self._steps = start, self._made(start, start + self._length)
        return self._steps[t - start]

    def _made(self, start: int, stop: int) -> list[tuple[Tensor, ...]]:
        """Make those of the steps from ``start`` to before ``stop``, or to the last one."""
        hidden = self._cells.shape[-1]
        gates, states, cells = (x[:, start:stop] for x in (self._gates, self._states, self._cells))
        g, i, f, o = torch.split(gates, hidden, dim=-1)
        scratch = self._scratch[:, :, : cells.shape[1]]
        of_g, of_i, of_f, of_o, h_to_c, seen = scratch.unbind(0)
        torch.tanh(cells, out=seen)
        torch.sub(o, torch.mul(states, seen, out=h_to_c), out=h_to_c)
        stored = torch.mul(i, g, out=seen)
        torch.sub(i, torch.mul(stored, g, out=of_g), out=of_g)
        torch.sub(self._one, torch.unflatten(gates[..., hidden:], -1, (3, hidden)).movedim(-2, 0), out=scratch[1:4])
        of_i.mul_(stored)
        of_f.mul_(f)
        of_o.mul_(states)
        if start == 0:
            of_f[:, 0].mul_(self._c0)
            of_f[:, 1:].mul_(cells[:, :-1])
        else:
            of_f.mul_(self._cells[:, start - 1 : start - 1 + cells.shape[1]])
        parts = (scratch[:3].movedim(0, -2), of_o, h_to_c)
        return list(zip(*(x.unbind(1) for x in parts), strict=True))


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
    keep: Float[Tensor, "runs time"] | None = None,
    *,
    norms: GradientNorms | None = None,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run a pack of LSTMs by the kernel protocol (see ``lrd.kernels``).

    Args:
        cell: which must be an ``LSTM``.
        params: of the pack.
        inputs: of the pack.
        state: before the first step; None: zeros.
        first: h is wanted from this step on.
        keep: k_t of the equations above, 0 or 1; None: 1 everywhere.
        norms: filled when gradients are taken.
    """
    assert isinstance(cell, LSTM)
    _, runs, batch, _ = inputs.shape
    if state is None:
        zeros = inputs.new_zeros(runs, batch, cell.hidden_size)
        state = (zeros, zeros)
    x = inputs.transpose(0, 1).contiguous()
    u, w, b = (_g_first(params[name]) for name in "UWb")
    kept, *last = _Loop.apply(u, w, b, x, *state, keep, first, norms)  # type: ignore[no-untyped-call]
    return kept.transpose(0, 1), tuple(last)
