"""The norm stabiliser of Krueger & Memisevic (2015), "Regularizing RNNs by stabilizing activations".

Eq. 1 there adds to the loss beta times the mean over steps of (|h_t| - |h_{t-1}|)^2. Here h is what the readout sees,
and the mean is over the steps behind the first and over samples: before the first step h is 0, and a term |h_1|^2 would
ask the first state to stay there. Where the gradient is cut (``training.truncate``), that of the penalty is cut too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lrd.shapes import Float, Tensor
from lrd.tasks import over_steps_and_batch


def norm_changes(states: Sequence[Float[Tensor, "_ runs batch hidden"]]) -> Float[Tensor, "runs"]:
    """Return the mean over steps and samples of (|h_t| - |h_{t-1}|)^2; 0 for sequences of a single step.

    Args:
        states: h_t of every step, in the parts between which the gradient is cut.
    """
    changes: list[Tensor] = []
    before: Tensor | None = None
    for part in states:
        lengths = torch.linalg.vector_norm(part, dim=-1)  # [steps, runs, batch]
        changes.append((lengths if before is None else torch.cat([before, lengths])).diff(dim=0))
        before = lengths[-1:].detach()
    squares = torch.cat(changes).square()
    return over_steps_and_batch(squares) if len(squares) else squares.new_zeros(squares.shape[1])
