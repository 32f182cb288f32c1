"""Helpers of packed loops, which store ``[runs, time, batch, ...]`` and take runs in groups that fit in the cache.

In this run-major order each sum over time and batch of a product of two vectors is one matrix multiply a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lrd.cells import products
from lrd.shapes import Float, Tensor

# Runs are looped over in groups whose weights, and some tensors of one step, fill about this many bytes: a step then
# finds them in the cache. Whole sequences need not fit: groups with 64 MiB of states were as fast as smaller ones.
_GROUP_BYTES, _TENSORS = 4 * 2**20, 4


def groups(steps: Float[Tensor, "runs time batch _"], weights: Float[Tensor, "runs rows hidden"]) -> list[slice]:
    """Return the runs of a pack in groups whose steps fit in the cache.

    Args:
        steps: A tensor of the size of pre-activations.
        weights: The recurrent weights of each run.
    """
    runs, _, batch, size = steps.shape
    of_run = (_TENSORS * batch * size + weights[0].numel()) * steps.element_size()
    at_once = max(1, _GROUP_BYTES // of_run) if steps.is_cpu else runs
    return [slice(start, start + at_once) for start in range(0, runs, at_once)]


def products_of(steps: Sequence[Float[Tensor, "runs batch size"]]) -> Sequence[Float[Tensor, "runs batch size"]]:
    """Return for each step a tensor to put a pack's products in before they go into that step.

    On the CPU it is one contiguous tensor for all steps: into a view with gaps between the runs torch multiplies run by
    run, which takes two thirds longer. A GPU takes any strides; there it is the very step.

    Args:
        steps: Views of run-major storage, one a step.
    """
    first = steps[0]
    return [torch.empty_like(first, memory_format=torch.contiguous_format)] * len(steps) if first.is_cpu else steps


def input_products(
    x: Float[Tensor, "runs time batch inputs"], u: Float[Tensor, "runs rows inputs"], b: Float[Tensor, "runs rows"]
) -> Float[Tensor, "runs time batch rows"]:
    """Return U x_t + b of all steps, with b as a column of U that meets 1: the large result is written only once."""
    runs, time, batch, size = x.shape
    one = torch.cat([x.reshape(runs, time * batch, size), x.new_ones(runs, time * batch, 1)], dim=2)
    return products(one, torch.cat([u, b[..., None]], dim=2).transpose(1, 2)).view(runs, time, batch, -1)


def parameter_gradients(
    delta: Float[Tensor, "runs time batch rows"],
    x: Float[Tensor, "runs time batch inputs"],
    h0: Float[Tensor, "runs batch hidden"],
    states: Float[Tensor, "runs time batch hidden"],
) -> tuple[Float[Tensor, "runs rows inputs"], Float[Tensor, "runs rows hidden"], Float[Tensor, "runs rows"]]:
    """Return dL/dU, dL/dW and dL/db of pre-activations a_t = U x_t + W h_{t-1} + b.

    Args:
        delta: dL/da_t of every step.
        x: x_t of every step.
        h0: h before the first step.
        states: h_t of every step.
    """
    runs, time, batch, rows = delta.shape
    flat = delta.view(runs, time * batch, rows)
    grad_u = products(x.view(runs, time * batch, -1).transpose(1, 2), flat).transpose(1, 2)
    # dL/dW: the steps from 1 on meet the stored states, step 0 the initial state.
    grad_w = products(delta[:, 0].transpose(1, 2), h0)
    if time > 1:
        later = flat[:, batch:].transpose(1, 2)
        grad_w += products(later, states.reshape(runs, time * batch, -1)[:, :-batch])
    return grad_u, grad_w, flat.sum(1)


def input_gradients(
    delta: Float[Tensor, "runs time batch rows"], u: Float[Tensor, "runs rows inputs"]
) -> Float[Tensor, "runs time batch inputs"]:
    """Return dL/dx_t of every step, of pre-activations a_t = U x_t + W h_{t-1} + b.

    Args:
        delta: dL/da_t of every step.
        u: U of each run.
    """
    runs, time, batch, rows = delta.shape
    return products(delta.reshape(runs, time * batch, rows), u).view(runs, time, batch, -1)
