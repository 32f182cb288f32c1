"""The regulariser Omega of Pascanu, Mikolov & Bengio (2013), against vanishing gradients of the vanilla RNN.

Every step should hand the gradient to the step before at its own length, whatever its direction (eq. 9):

    Omega = mean over steps and samples of (|dE/dh_t  dh_t/dh_{t-1}| / |dE/dh_t| - 1)^2.

Its gradient is taken in W alone and immediately (eq. 10): dE/dh_t and h_t count as constants. With D_t = f'(a_t),
u_t = D_t dE/dh_t / |dE/dh_t| and y_t = W^T u_t, the Jacobian's part is dh_t/dh_{t-1} = D_t W, so that

    Omega = mean of (|y_t| - 1)^2,        dOmega/dW = mean of 2 (1 - 1/|y_t|) u_t y_t^T.

The mean is over the steps at which there is a gradient, as in the authors' code (github.com/pascanur/trainingRNNs),
whose weights the paper gives, where eq. 9 has the sum; the state is h as it is there. That code squares the ratio once
more before it takes 1 off; we keep to the paper. It also leaves out steps with |dE/dh_t|^2 < 1e-20: the very ones whose
gradient has vanished. Here only the direction of dE/dh_t is followed back, rescaled at each step, so that it does not
underflow however far back it goes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lrd.cells import RNN, products
from lrd.cells.rnn import DERIVATIVES
from lrd.shapes import Float, Tensor

# Bounds of the scale of a gradient, far inside the range of float64. What meets them is so far from the scale of all
# other gradients that adding one to the other has no effect; its direction stays exact.
_LEAST, _MOST = 1e-250, 1e250


def omega(
    cell: RNN,
    w: Float[Tensor, "runs hidden hidden"],
    states: Sequence[Float[Tensor, "_ runs batch hidden"]],
    direct: Sequence[Float[Tensor, "_ runs batch hidden"]],
) -> tuple[Float[Tensor, "runs"], Float[Tensor, "runs hidden hidden"]]:
    """Omega of each run and its immediate gradient in W; both 0 where no step has a gradient.

    ``states``: every h_t, in parts between which the gradient is cut (``training.truncate``); ``direct``: what each
    of them gets from the loss without the way over later steps.
    """
    total, count, grad = w.new_zeros(len(w)), w.new_zeros(len(w)), torch.zeros_like(w)
    for h, into in zip(states, direct, strict=True):
        slopes = DERIVATIVES[cell.activation](h)
        g = _directions(w, slopes, into)
        # Run-major: sums over steps and samples are then one matrix multiply a run.
        g, u = (v.transpose(0, 1).reshape(len(w), -1, w.shape[1]) for v in (g, slopes * g))
        y = products(u, w)
        length = torch.linalg.vector_norm(y, dim=-1)
        there = (g != 0).any(-1)
        total += torch.where(there, (length - 1).square(), 0).sum(-1)
        count += there.sum(-1)
        # Where W^T u is 0, |W^T u| has no derivative.
        pull = torch.where(length > 0, 2 * (1 - 1 / length), 0)
        grad += products(u.transpose(1, 2), pull[..., None] * y)
    count = count.clamp(min=1)
    return total / count, grad / count[:, None, None]


def _directions(
    w: Float[Tensor, "runs hidden hidden"],
    slopes: Float[Tensor, "steps runs batch hidden"],
    direct: Float[Tensor, "steps runs batch hidden"],
) -> Float[Tensor, "steps runs batch hidden"]:
    """dE/dh_t / |dE/dh_t| of every step; 0 where there is no gradient."""
    largest = direct.abs().amax(-1).double()  # of each step and sample
    g = torch.empty_like(direct)
    tiny = torch.finfo(g.dtype).tiny  # below, 1 / x may be beyond the range of x
    carry, scale = torch.zeros_like(direct[0]), torch.full_like(largest[0], _LEAST)
    for t in range(len(direct) - 1, -1, -1):
        # dE/dh_t = direct_t + scale * carry, taken in units of the larger of the two.
        unit = torch.maximum(largest[t], scale)
        own = torch.where(largest[t] >= tiny, 1 / unit, 0).to(g.dtype)[..., None]
        torch.mul(direct[t], own, out=g[t])
        g[t] += carry * (scale / unit).to(g.dtype)[..., None]
        arrives = products(g[t] * slopes[t], w)
        size = arrives.abs().amax(-1, keepdim=True)
        carry = arrives / torch.where(size > 0, size, 1)
        scale = (unit * size[..., 0]).clamp(_LEAST, _MOST)
    # Largest entries near 1 before squares are taken: two gradients may have cancelled.
    g /= _or_one(g.abs().amax(-1, keepdim=True))
    return g.div_(_or_one(torch.linalg.vector_norm(g, dim=-1, keepdim=True)))


def _or_one(size: Tensor) -> Tensor:
    return torch.where(size > 0, size, 1)
