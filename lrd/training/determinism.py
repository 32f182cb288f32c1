"""Whether a GPU gives the same bits again. A CPU always does, here; nothing of this touches it."""

from __future__ import annotations

import os

import torch


def repeat_bits(device: torch.device, wanted: bool) -> None:
    """Let this process choose operations on a GPU that give the same numbers whenever they are run.

    To be called before the first product of matrices, for cuBLAS reads how it may work when it is loaded. An operation
    of somebody's own cell or task that has no such form is warned of by torch, and used.
    """
    if device.type != "cuda":
        return
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    # Nothing here reads memory that nobody wrote. (The module looks as if it had no such name.)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = wanted, False
