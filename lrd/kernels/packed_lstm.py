"""The LSTM of a whole pack in one loop over time, whose way back through h can be cut at chosen steps.

Reference: ``lrd.kernels.loop``. With a_t = U x_t + W h_{t-1} + b, delta_t = dL/da_t of the gates g, i, f, o, and
q_t = o_t (1 - tanh(c_t)^2),

    dh_t = dL/dh_t directly + k_{t+1} W^T delta_{t+1},       dc_t = q_t dh_t + f_{t+1} dc_{t+1},
    delta_t = (dc_t i_t (1 - g_t^2), dc_t g_t i_t (1 - i_t), dc_t c_{t-1} f_t (1 - f_t), dh_t tanh(c_t) o_t (1 - o_t)).

k_t = 1 is the gradient; k_t = 0 takes h_{t-1} for a constant in all gates of step t, as h-detach does (Kanuparthi et
al. 2019, algorithm 1). Where nothing is to be cut, torch's own kernel (``lrd.kernels.stock``) is faster on the CPU.

Storage is run-major (``lrd.kernels.run_major``), the gates in the order g, i, f, o: those that pass by c_t stand
together, and so do the logistic ones.
"""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, Cell, Parameters, State
from lrd.kernels.norms import GradientNorms
from lrd.kernels.powers import way_back
from lrd.kernels.run_major import groups, input_products, parameter_gradients
from lrd.shapes import Float, Tensor


def _g_first(rows: Tensor) -> Tensor:
    """Rows [runs, 4 hidden, ...] of the gates i, f, g, o in the order g, i, f, o."""
    i, f, g, o = rows.chunk(4, dim=1)
    return torch.cat([g, i, f, o], dim=1)


class _Loop(torch.autograd.Function):
    """(U, W, b with rows g, i, f, o; x, h_0, c_0, k [runs, time] or None) -> states h from ``first`` on, h_T, c_T."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, w: Tensor, b: Tensor, x: Tensor, h0: Tensor, c0: Tensor, keep: Tensor | None, first: int,
        norms: GradientNorms | None,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        gates = input_products(x, u, b)
        hidden = w.shape[2]
        states, cells = (gates.new_empty(*gates.shape[:3], hidden) for _ in range(2))
        for group in groups(gates):
            w_t, h, c = w[group].transpose(1, 2), h0[group], c0[group]
            of_group = (gates[group], states[group], cells[group])
            for a, h_t, c_t in zip(*(x.unbind(1) for x in of_group), strict=True):
                torch.baddbmm(a, h, w_t, out=a)
                g, i, f, o = a.split(hidden, dim=-1)
                g.tanh_()
                # Not torch.sigmoid_, whose last bit depends on where in a tensor, and so in a pack, a number stands.
                a[..., hidden:].neg_().exp_().add_(1).reciprocal_()
                c = torch.mul(f, c, out=c_t).add_(i * g)
                h = torch.tanh(c, out=h_t).mul_(o)
        ctx.save_for_backward(w, x, h0, c0, keep, gates, states, cells)
        ctx.first, ctx.norms = first, norms
        return states[:, first:], states[:, -1].clone(), cells[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        w, x, h0, c0, keep, gates, states, cells = ctx.saved_tensors
        delta, into_h0, into_c0 = torch.empty_like(gates), torch.empty_like(h0), torch.empty_like(c0)
        found = []
        for group in groups(gates):
            kept = None if keep is None else keep[group]
            steps = _Back(w[group], gates[group], cells[group], c0[group], kept, delta[group], ctx.first)
            last, direct = [grad_h[group], grad_c[group]], grad[group]
            if ctx.norms is None:
                into, _ = steps(0, states.shape[1], last, direct, keep=False)
            else:
                into, of_group, power = way_back(steps, states.shape[1], ctx.first, direct, last, delta[group])
                found.append((*of_group, power))
            into_h0[group], into_c0[group] = into
        if ctx.norms is not None:
            *sizes, power = map(torch.cat, zip(*found, strict=True))
            for variable, size in zip("hc", sizes, strict=True):
                ctx.norms.put(variable, size, power)
        return *parameter_gradients(delta, x, h0, states), None, into_h0, into_c0, None, None, None


class _Back:
    """The way back of a group of runs (see ``lrd.kernels.powers.Steps``)."""

    def __init__(
        self, w: Tensor, gates: Tensor, cells: Tensor, c0: Tensor, kept: Tensor | None, deltas: Tensor, first: int
    ) -> None:
        self._w, self._hidden, self._first = w, w.shape[2], first
        through, h_to_c = _slopes(gates, cells, c0)
        forget = gates[..., 2 * self._hidden : 3 * self._hidden]
        self._by_step = list(zip(*(x.unbind(1) for x in (deltas, through, h_to_c, forget)), strict=True))
        self._kept = None if kept is None else kept[:, :, None, None].unbind(1)

    def __call__(
        self, low: int, high: int, arriving: list[Tensor], direct: Tensor, keep: bool = True
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Without ``keep`` no total gradients are given."""
        (dh, dc), hidden, totals = arriving, self._hidden, []
        outside, scored = direct.unbind(1), max(self._first, low)
        for t in range(high - 1, low - 1, -1):
            d, through, h_to_c, f = self._by_step[t]
            if t >= scored:
                dh = dh + outside[t - scored]
            dc = dc + dh * h_to_c
            if keep:
                totals.append((dh, dc))
            by_cell = d[..., : 3 * hidden].unflatten(-1, (3, hidden))
            torch.mul(through[..., : 3 * hidden].unflatten(-1, (3, hidden)), dc.unsqueeze(-2), out=by_cell)
            torch.mul(through[..., 3 * hidden :], dh, out=d[..., 3 * hidden :])
            dc = dc * f
            dh = torch.bmm(d, self._w)
            if self._kept is not None:
                dh *= self._kept[t]
        return [dh, dc], [torch.stack(each[::-1], dim=1) for each in zip(*totals, strict=True)]


def _slopes(
    gates: Float[Tensor, "runs time batch gates"],
    cells: Float[Tensor, "runs time batch hidden"],
    c0: Float[Tensor, "runs batch hidden"],
) -> tuple[Float[Tensor, "runs time batch gates"], Float[Tensor, "runs time batch hidden"]]:
    """What takes dc_t to delta_t of g, i and f, and dh_t to that of o; and q_t, what takes dh_t to dc_t."""
    g, i, f, o = gates.chunk(4, dim=-1)
    before = torch.cat([c0[:, None], cells[:, :-1]], dim=1)
    seen = cells.tanh()
    through = torch.cat([i * (1 - g * g), g * i * (1 - i), before * f * (1 - f), seen * o * (1 - o)], dim=-1)
    return through, o * (1 - seen * seen)


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
    """The kernel protocol (see ``lrd.kernels``) for ``LSTM``; ``keep``: k_t of the equations above, 0 or 1.

    ``norms``: is filled when gradients are taken.
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
