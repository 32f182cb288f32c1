"""The way through the layers of a network: each part reads the h of the layer below, in its own direction.

``through`` is the order of it, for kernels, probes and gradients alike; ``scan_layers`` runs it with a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lrd.cells import Cell, Parameters, Part, State, one_layer, parameters_of, parts_of, parts_of_layer
from lrd.shapes import Float, Tensor

#: ``between(layer, h)`` changes what goes from a layer to the next one.
Between = Callable[[int, Tensor], Tensor]
#: ``dropout(steps, layer, h)`` is what training hands from a layer to the next one instead of h of these steps.
Dropout = Callable[[slice, int, Tensor], Tensor]


def in_reading_order(part: Part, sequence: Float[Tensor, "time *shape"]) -> Float[Tensor, "time *shape"]:
    """Return a sequence in the order in which a part reads it; the same function leads back to the order of time."""
    return sequence.flip(0) if part.is_backward else sequence


def through(
    cell: Cell,
    inputs: Float[Tensor, "time runs batch inputs"],
    run_part: Callable[[Part, Tensor], Tensor],
    between: Between | None = None,
) -> Float[Tensor, "steps runs batch features"]:
    """Return the h of the last layer, those of its parts side by side.

    Args:
        cell: The cell, with its layers.
        inputs: x_t of every step.
        run_part: Takes a part and what it reads, in its reading order; gives its h in the order of time.
        between: Changes the h that go from a layer to the next one; None: nothing does.
    """
    below = inputs
    for layer in range(1, cell.layers + 1):
        h = [run_part(part, in_reading_order(part, below)) for part in parts_of_layer(cell, layer)]
        below = h[0] if len(h) == 1 else torch.cat(h, -1)
        if between is not None and layer < cell.layers:
            below = between(layer, below)
    return below


def scan_layers(
    scan: Callable[..., Any],
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None = None,
    first: int = 0,
    between: Between | None = None,
    **options: object,
) -> tuple[Float[Tensor, "steps runs batch features"], State]:
    """Run all layers of a network by a kernel.

    Args:
        scan: The kernel (``lrd.kernels.protocol``) of one part.
        cell: The cell that is trained, with its layers.
        params: The network's parameters, as ``lrd.cells.prepared`` gives them.
        inputs: x_t of every step.
        state: The state variables of all parts, one part after another; None: zeros.
        first: The first step whose h is wanted.
        between: Changes the h that go from a layer to the next one; None: nothing does.
        **options: The kernel's own, for every part.

    Returns:
        h of the last layer from step ``first`` on, and the state variables after the last step that each part reads.
    """
    parts, stepped = parts_of(cell), one_layer(cell).stepped
    if len(parts) == 1:
        h, after = scan(stepped, params, inputs, state, first, **options)
        return h, after
    size = len(stepped.state_names)
    before = dict.fromkeys(parts) if state is None else dict(zip(parts, _in_pieces(state, size), strict=True))
    states: dict[Part, State] = {}

    def run_part(part: Part, x: Tensor) -> Tensor:
        wanted = first if part.layer == cell.layers else 0
        skipped = 0 if part.is_backward else wanted  # which a part that reads backward comes to last
        h, states[part] = scan(stepped, parameters_of(part, params), x, before[part], skipped, **options)
        return in_reading_order(part, h)[wanted - skipped :]

    h = through(cell, inputs, run_part, between)
    return h, tuple(variable for part in parts for variable in states[part])


def _in_pieces(state: State, size: int) -> list[State]:
    return [state[start : start + size] for start in range(0, len(state), size)]
