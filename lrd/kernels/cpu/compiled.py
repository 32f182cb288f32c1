"""How the functions of this folder are compiled: those that Python calls, and those that these call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from lrd.kernels.cpu import SOURCES
from lrd.machine_code import OPTIONS, compiled


def inner(function: Callable[..., Any]) -> Any:
    """Let numba compile a function into each that calls it."""
    return numba.njit(function, **OPTIONS)


def program(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, when its module is imported.

    Args:
        signature: Its types, as numba writes them.
    """
    return lambda function: compiled(function, signature, sources=SOURCES)
