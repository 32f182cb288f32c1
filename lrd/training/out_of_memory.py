"""Errors that say that memory did not suffice, whoever raised them: Python, torch, or a library of CUDA."""

from __future__ import annotations

import re

_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory"
    # cuBLAS and cuDNN ask the driver for workspaces of their own, and cuBLAS for one when it is first used.
    r"|CUBLAS_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)|CUDNN_STATUS_\w*ALLOC\w*_FAILED",
    re.IGNORECASE,
)


def says_out_of_memory(message: str) -> bool:
    """Return whether the message of an error says that memory, of the machine or of a GPU, did not suffice."""
    return bool(_NO_MEMORY.search(message))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory did not suffice, by what an error says or one that it followed upon.

    The errors before it count because the recording of a CUDA graph that fails says only that it failed.
    """
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        if isinstance(at, MemoryError) or (isinstance(at, RuntimeError) and says_out_of_memory(str(at))):
            return True
        seen.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return False
