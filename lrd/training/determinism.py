"""The choice of GPU operations that give the same bits when a run is trained again; those of a CPU always do here."""

from __future__ import annotations

import os

import torch


def repeat_bits(device: torch.device, wanted: bool) -> None:
    """Set whether this process uses only GPU operations that give the same numbers whenever they are run.

    Call it before the first product of matrices: cuBLAS reads how it may work when it is loaded. An operation of
    somebody's own cell or task that has no such form is used all the same, with a warning by torch.

    Args:
        device: Where training goes on; on a CPU nothing is set.
        wanted: Whether the bits are to be the same (``place.deterministic``).
    """
    if device.type != "cuda":
        return
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    # Nothing here reads memory that nobody wrote. Set by its name, which the type of the module does not show.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = wanted, False
