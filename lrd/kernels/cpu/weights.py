"""Where the backward pass of a program ends: the gradients of its weights and inputs, from those of pre-activations.

Letters and layouts: ``lrd.kernels.cpu``.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import inner
from lrd.kernels.cpu.products import product
from lrd.kernels.cpu.vectors import LANES, pointer

_SAMPLES = 128  # of how many samples of one or several steps the products are summed in registers


@inner
@no_type_check
def at_once(batch):
    """Return how many steps are added to the gradient of the weights at once."""
    return max(1, _SAMPLES // batch)


@inner
@no_type_check
def onto_weights(seen, delta, into_seen, run, t, steps):
    """Add the products of delta and what a step sees, over samples and some steps from ``t`` on.

    Args:
        seen: [R, T + 1, B, width].
        delta: [steps or more, B, rows], the gradients of the pre-activations of these steps.
        into_seen: [R, D, rows].
        run: The run.
        t: The first of these steps.
        steps: How many they are.
    """
    batch, rows, width = delta.shape[1], delta.shape[2], seen.shape[3]
    product(
        pointer(into_seen, (run, 0, 0)), rows, into_seen.shape[1], rows // LANES,
        pointer(seen, (run, t, 0, 0)), 1, width, pointer(delta, (0, 0, 0)), LANES, rows, steps * batch, True,
    )  # fmt: skip


@inner
@no_type_check
def onto_inputs(delta, slot, weights, into_x, run, t):
    """Write the gradient of x_t.

    Args:
        delta: [slots, B, rows], the gradients of the pre-activations of some steps.
        slot: The place of the step among these.
        weights: [R, blocks, rows, 16], U in blocks of sixteen inputs; none where no gradient is wanted.
        into_x: [R, T, B, I].
        run: The run.
        t: The step.
    """
    blocks, batch, rows = weights.shape[1], delta.shape[1], delta.shape[2]
    if blocks == 0:
        return
    found = np.empty((batch, blocks * LANES), np.float32)
    product(
        pointer(found, (0, 0)), blocks * LANES, batch, blocks, pointer(delta, (slot, 0, 0)), rows, 1,
        pointer(weights, (run, 0, 0, 0)), rows * LANES, LANES, rows, False,
    )  # fmt: skip
    into_x[run, t] = found[:, : into_x.shape[3]]
