"""Training gradient norms: the norm of the training loss's own gradient at every step of every sample of an update.

The loss is what training minimises, a mean over the batch and the scored steps; the gradient is cut where training cuts
it. Of B samples each therefore counts 1/B: ``NormSums.add`` multiplies by B, which gives the norm of one sample's own
loss, as the table ``gradient_norms`` has it.

Kernels of ``lrd.kernels.WITH_NORMS`` have the gradient of every state at hand and give its norm as their backward pass
goes by (``norms_of_kernel``). For other cells the pack goes forward and back once more (``norms_by_adjoint``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lrd.cells import FIRST, Cell, Parameters, Part
from lrd.gradients.network import NetworkTapes
from lrd.kernels import GradientNorms, ScaledNorms
from lrd.kernels.layers import Dropout
from lrd.shapes import Float, Tensor

#: Norms by part of the network and state variable, of the loss that is a mean over the batch: as a kernel gives them,
#: or as their log10 [time, runs, batch], which is -inf where the gradient is exactly 0.
Norms = dict[tuple[Part, str], ScaledNorms | Tensor]


def norms_of_kernel(
    cell: Cell, parts: Sequence[GradientNorms], inputs: Float[Tensor, "time runs batch inputs"], every: int
) -> Norms:
    """Return the norms of whole sequences, of a cell alone, from those that a kernel gave for their parts.

    Args:
        cell: whose state variables are measured.
        parts: of ``every`` steps each, between which the gradient is cut. One that is empty got no gradient.
        inputs: of the whole sequences, for their shape.
        every: steps of a part; the last one may be shorter.
    """
    if len(parts) == 1 and parts[0].scaled:
        return {(FIRST, name): norms for name, norms in parts[0].scaled.items()}
    found: list[dict[str, ScaledNorms]] = []
    for start, part in zip(range(0, len(inputs), every), parts, strict=True):
        steps = inputs[start : start + every, ..., 0].transpose(0, 1)
        nothing = ScaledNorms(torch.zeros_like(steps), torch.zeros_like(steps, dtype=torch.int32))
        found.append(part.scaled or dict.fromkeys(cell.measured_names, nothing))
    return {(FIRST, name): _joined([part[name] for part in found], dim=1) for name in found[0]}


def norms_of_runs(parts: Sequence[Norms]) -> Norms:
    """Return the norms of a whole pack from those of some of its runs after others."""
    if len(parts) == 1:
        return parts[0]
    joined: Norms = {}
    for name, first in parts[0].items():
        every: list[Any] = [part[name] for part in parts]
        joined[name] = torch.cat(every, dim=1) if isinstance(first, Tensor) else _joined(every, dim=0)
    return joined


def _joined(parts: Sequence[Any], dim: int) -> ScaledNorms:
    """Return scaled norms one behind the other."""
    return ScaledNorms(*(torch.cat(pieces, dim) for pieces in zip(*parts, strict=True)))


def norms_by_adjoint(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    direct: Sequence[Tensor],
    every: int,
    dropout: Dropout | None = None,
) -> Norms:
    """Return the norms for any network, by going forward and back once more.

    Args:
        cell: the one that is trained, with its layers.
        params: of the pack, prepared.
        inputs: of the pack.
        direct: the gradient of the h that the readout sees that does not pass through later steps, in parts between
            which the gradient is cut; each part has the last steps of ``every``.
        every: steps of a part; the last one may be shorter.
        dropout: what the update handed from layer to layer instead of h; None: h.
    """
    time = len(inputs)
    into_h: dict[int, Tensor] = {}
    for start, part in zip(range(0, time, every), direct, strict=True):
        stop = min(start + every, time)
        into_h |= {stop - len(part) + j: into for j, into in enumerate(part.unbind(0))}
    with torch.no_grad():
        tapes = NetworkTapes(cell, {name: value.detach() for name, value in params.items()}, inputs, dropout)
        norms = tapes.total_norms(into_h, range(every, time, every))
    return {(part, name): values for part, of_part in norms.items() for name, values in of_part.items()}
