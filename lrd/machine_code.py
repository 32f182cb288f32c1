"""Functions of plain numbers and NumPy arrays as machine code, made by numba, where that is installed.

For what would be a dozen passes of torch over one tensor, each with a call of its own, and is one loop here. Whoever
uses it has the same in torch: for GPUs, and for where numba cannot be imported. A function is compiled when it is first
called, for the types in its signatures, and numba keeps its machine code for later processes where it may write.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


@functools.cache
def machine_code(function: Callable[..., Any], *signatures: str) -> Callable[..., Any] | None:
    """Return the machine code of a function; None where there is no numba.

    Args:
        function: A function of numbers and arrays, without others of its module's: their changes would go unseen.
        *signatures: The types of its arguments, as numba writes them.
    """
    try:
        import numba
    except ImportError:
        return None
    # nogil: other threads of Python go on meanwhile. The error model of NumPy: a division by 0 gives infinity or NaN.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    made: Callable[..., Any]
    try:
        made = numba.njit(list(signatures), cache=True, **options)(function)
    except (OSError, RuntimeError) as error:  # nowhere to keep it, or no room
        logger.info("the machine code of %s cannot be kept: %s", function.__qualname__, error)
        made = numba.njit(list(signatures), **options)(function)
    return made
