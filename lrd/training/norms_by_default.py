"""Whether the updates of a pack give training gradient norms: ``training.gradient_norms``, and what null means."""

from __future__ import annotations

import torch

from lrd.cells import parts_of
from lrd.kernels import KERNELS
from lrd.spec import RunSpec
from lrd.training.tricks import update_kernel


def has_norms(run: RunSpec, device: torch.device | None = None, runs: int = 1) -> bool:
    """Return whether updates of a pack of such runs give training gradient norms, which records then keep.

    true and false say so. null is on where the kernel that the pack has anyway gives norms for free: in a network of
    one part, since what layers hand down may leave the range of float32 (``lrd.gradients.network``), and without an
    option that excludes norms.

    Args:
        run: One of the runs; all of a pack have the same answer.
        device: Where the pack is trained; None: on a CPU.
        runs: How many runs the pack has. On a GPU a run alone may have another kernel than a pack.
    """
    training = run.training
    if training.gradient_norms is not None:
        return training.gradient_norms
    kernel = KERNELS[update_kernel(run, device, runs)]
    runs_itself = training.precision != "float64" or kernel.hands_over_to is None
    return kernel.free_norms and runs_itself and len(parts_of(run.cell)) == 1 and not training.apart_from_norms
