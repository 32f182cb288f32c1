"""The readout y_t = O(V h_t + c) that every run has behind its cell; O belongs to the loss (softmax or identity)."""

from __future__ import annotations

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters
from lrd.shapes import Float, Tensor


def readout_parameters(cell: Cell, output_size: int, generator: torch.Generator, input_size: int = 0) -> Parameters:
    """V [outputs, hidden] and its bias [outputs], initialised in the manner of the cell's ``init``.

    Some cells have a readout of their own (``Cell.own_readout``), which may see inputs too.
    """
    if (own := cell.own_readout(input_size, output_size, generator)) is not None:
        return own
    name, n = getattr(cell, "init", "torch"), cell.hidden_size
    return {
        "V": initialisers.dense(name, output_size, n, n, generator),
        "V_bias": initialisers.bias(name, output_size, n, 1, generator),
    }


def read(
    p: Parameters,
    h: Float[Tensor, "steps runs batch hidden"],
    inputs: Float[Tensor, "steps runs batch inputs"] | None = None,
) -> Float[Tensor, "steps runs batch outputs"]:
    """V h_t + c for each run of a pack (before O); ``inputs`` at the same steps, for readouts that see x_t too."""
    steps, runs, batch, _ = h.shape
    y = _by_run(h, p["V"])
    if "V_inputs" in p:
        assert inputs is not None
        y = y + _by_run(inputs, p["V_inputs"])
    if "V_bias" in p:
        y = y + p["V_bias"][:, None]
    return y.view(runs, steps, batch, -1).transpose(0, 1)


def _by_run(a: Float[Tensor, "steps runs batch size"], v: Float[Tensor, "runs outputs size"]) -> Tensor:
    """V a_t [runs, steps * batch, outputs]."""
    steps, runs, batch, size = a.shape
    # Kernels store states run-major, so that this is a view and the product one matrix multiply a run.
    return products(a.transpose(0, 1).reshape(runs, steps * batch, size), v.transpose(1, 2))


def products(a: Float[Tensor, "runs rows inner"], b: Float[Tensor, "runs inner columns"]) -> Tensor:
    """The matrix product of each run [runs, rows, columns], on the CPU with the same last bit whatever the pack.

    Where one of the matrices is a vector, ``torch.bmm`` rounds a single run differently from the same run among others.
    """
    if a.is_cpu and 1 in (*a.shape[1:], b.shape[2]):
        return torch.stack([x @ y for x, y in zip(a.unbind(0), b.unbind(0), strict=True)])
    return torch.bmm(a, b)
