"""How the functions of this folder are compiled: those that Python calls, and those that these call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numba

from lrd.kernels.cpu import SOURCES
from lrd.machine_code import OPTIONS, compiled, is_kept

logger = logging.getLogger(__name__)


def inner(function: Callable[..., Any]) -> Any:
    """Let numba compile a function into each that calls it."""
    return numba.njit(function, **OPTIONS)


def program(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, when its module is imported.

    Args:
        signature: Its types, as numba writes them.
    """

    def made(function: Callable[..., Any]) -> Any:
        if not is_kept(function, SOURCES):
            _say_why_nothing_moves()
        return compiled(function, signature, sources=SOURCES)

    return made


@cache
def _say_why_nothing_moves() -> None:
    logger.warning("kernels are compiled for this machine, once, which may take a minute")
