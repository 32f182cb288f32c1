"""The regulariser Omega of Pascanu, Mikolov & Bengio (2013), against vanishing gradients of the vanilla RNN.

It asks of every step to pass the gradient to the step before without changing its length (eq. 9):

    Omega = mean over steps and samples of (|dE/dh_t  dh_t/dh_{t-1}| / |dE/dh_t| - 1)^2.

Its gradient is the immediate one in W (eq. 10), in which dE/dh_t and h_t are constants. With D_t = diag f'(a_t),
u_t = D_t dE/dh_t / |dE/dh_t| and dh_t/dh_{t-1} = D_t W, and so y_t = W^T u_t,

    Omega = mean of (|y_t| - 1)^2,        dOmega/dW = mean of 2 (1 - 1/|y_t|) u_t y_t^T.

Paper and authors' code (github.com/pascanur/trainingRNNs) differ:

* Eq. 9 has a sum. The code, to which the weights in the paper belong, has a mean over the steps at which there is a
  gradient, and h is the state after the activation. So it is here.
* The code squares the ratio once more before it subtracts 1. Here it is as in the paper.
* The code leaves out steps with |dE/dh_t|^2 < 1e-20, the very ones whose gradient has vanished. Here no step is left
  out: only the direction of dE/dh_t is followed back, rescaled at each step, and does not underflow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lrd.cells import RNN, products
from lrd.cells.rnn import DERIVATIVES
from lrd.shapes import Float, Tensor

# Bounds of the scale of a gradient, far inside the range of float64. A gradient of such a scale is so far from all
# others that adding one to the other has no effect; its direction stays exact.
_LEAST, _MOST = 1e-250, 1e250


def omega(
    cell: RNN,
    w: Float[Tensor, "runs hidden hidden"],
    states: Sequence[Float[Tensor, "_ runs batch hidden"]],
    direct: Sequence[Float[Tensor, "_ runs batch hidden"]],
) -> tuple[Float[Tensor, "runs"], Float[Tensor, "runs hidden hidden"]]:
    """Return Omega of each run and its immediate gradient in W; both are 0 where no step has a gradient.

    Args:
        cell: The cell of the runs.
        w: W of each run.
        states: h_t of every step, in the parts between which the gradient is cut (``training.truncate``).
        direct: The gradient of the loss in each of these h_t, without its part through later steps.
    """
    total, count, grad = w.new_zeros(len(w)), w.new_zeros(len(w)), torch.zeros_like(w)
    for h, into in zip(states, direct, strict=True):
        slopes = DERIVATIVES[cell.activation](h)
        g = _directions(w, slopes, into)
        # u_t and y_t, run-major: sums over steps and samples are then one matrix multiply a run.
        g, u = (v.transpose(0, 1).reshape(len(w), -1, w.shape[1]) for v in (g, slopes * g))
        y = products(u, w)
        length = torch.linalg.vector_norm(y, dim=-1)
        there = (g != 0).any(-1)
        total += torch.where(there, (length - 1).square(), 0).sum(-1)
        count += there.sum(-1)
        # Where y_t is 0, its length has no derivative.
        pull = torch.where(length > 0, 2 * (1 - 1 / length), 0)
        grad += products(u.transpose(1, 2), pull[..., None] * y)
    count = count.clamp(min=1)
    return total / count, grad / count[:, None, None]


def _directions(
    w: Float[Tensor, "runs hidden hidden"],
    slopes: Float[Tensor, "steps runs batch hidden"],
    direct: Float[Tensor, "steps runs batch hidden"],
) -> Float[Tensor, "steps runs batch hidden"]:
    """Return dE/dh_t / |dE/dh_t| of every step; 0 where there is no gradient."""
    largest = direct.abs().amax(-1).double()  # of each step and sample
    g = torch.empty_like(direct)
    tiny = torch.finfo(g.dtype).tiny  # the inverse of a smaller number may be beyond the range of its dtype
    # What arrives at h_t from later steps is scale * carry, with the largest entry of carry at 1.
    carry, scale = torch.zeros_like(direct[0]), torch.full_like(largest[0], _LEAST)
    for t in range(len(direct) - 1, -1, -1):
        # dE/dh_t = direct_t + scale * carry, in units of the larger of the two.
        unit = torch.maximum(largest[t], scale)
        own = torch.where(largest[t] >= tiny, 1 / unit, 0).to(g.dtype)[..., None]
        torch.mul(direct[t], own, out=g[t])
        g[t] += carry * (scale / unit).to(g.dtype)[..., None]
        # Back through the step, W^T D_t dE/dh_t, and rescale.
        arrives = products(g[t] * slopes[t], w)
        size = arrives.abs().amax(-1, keepdim=True)
        carry = arrives / torch.where(size > 0, size, 1)
        scale = (unit * size[..., 0]).clamp(_LEAST, _MOST)
    # Bring the largest entries near 1 before squares are taken: where two gradients cancelled they are small.
    g /= _or_one(g.abs().amax(-1, keepdim=True))
    return g.div_(_or_one(torch.linalg.vector_norm(g, dim=-1, keepdim=True)))


def _or_one(size: Tensor) -> Tensor:
    return torch.where(size > 0, size, 1)
