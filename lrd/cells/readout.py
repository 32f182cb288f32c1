"""The readout y_t = O(V h_t + V_bias) that follows the cell; O belongs to the task's loss (softmax or identity)."""

from __future__ import annotations

import dataclasses

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters
from lrd.cells.network import features
from lrd.shapes import Float, Tensor


def readout_parameters(cell: Cell, output_size: int, generator: torch.Generator, input_size: int = 0) -> Parameters:
    """Draw the initial parameters of a network's readout: V [outputs, features] and V_bias [outputs].

    It sees the h of the last layer (``lrd.cells.network.features``). Some cells have a readout of their own
    (``Cell.own_readout``), which may see inputs too.

    Args:
        cell: The cell with its layers, whose option ``init`` says how they are drawn.
        output_size: The number of outputs of a step.
        generator: The run's own source of random numbers.
        input_size: The number of inputs x_t of a step, for a readout that sees them.
    """
    seen = dataclasses.replace(cell, hidden_size=features(cell)) if cell.bidirectional else cell
    if (own := seen.own_readout(input_size, output_size, generator)) is not None:
        return own
    name, n = getattr(cell, "init", "torch"), features(cell)
    return {
        "V": initialisers.dense(name, output_size, n, n, generator),
        "V_bias": initialisers.bias(name, output_size, n, 1, generator),
    }


def read(
    p: Parameters,
    h: Float[Tensor, "steps runs batch hidden"],
    inputs: Float[Tensor, "steps runs batch inputs"] | None = None,
) -> Float[Tensor, "steps runs batch outputs"]:
    """Return V h_t + V_bias for each run of a pack, before O.

    Args:
        p: Parameters by name, [runs, ...].
        h: States of some steps.
        inputs: x_t of these steps, for a readout that sees them too.
    """
    steps, runs, batch, _ = h.shape
    y = _by_run(h, p["V"])
    if "V_inputs" in p:
        assert inputs is not None
        y = y + _by_run(inputs, p["V_inputs"])
    if "V_bias" in p:
        y = y + p["V_bias"][:, None]
    return y.view(runs, steps, batch, -1).transpose(0, 1)


def _by_run(a: Float[Tensor, "steps runs batch size"], v: Float[Tensor, "runs outputs size"]) -> Tensor:
    """Return V a_t of all steps and samples [runs, steps * batch, outputs]."""
    steps, runs, batch, size = a.shape
    # Kernels store states run-major, so that this is a view and the product one matrix multiply a run.
    return products(a.transpose(0, 1).reshape(runs, steps * batch, size), v.transpose(1, 2))


def products(a: Float[Tensor, "runs rows inner"], b: Float[Tensor, "runs inner columns"]) -> Tensor:
    """Return the matrix product of each run [runs, rows, columns], on the CPU with the same last bit in any pack.

    Where one of the matrices is a vector, ``torch.bmm`` rounds a single run differently from the same run among others.
    """
    if a.is_cpu and 1 in (*a.shape[1:], b.shape[2]):
        if len(a) == 1:
            return (a.squeeze(0) @ b.squeeze(0)).unsqueeze(0)
        return torch.stack([x @ y for x, y in zip(a.unbind(0), b.unbind(0), strict=True)])
    return torch.bmm(a, b)
