"""Functions of plain numbers and NumPy arrays as machine code, made by numba, where that is installed.

For the kernels of the CPU, and for what would be a dozen passes of torch over one tensor, each with a call of its own,
and is one loop here. Whoever uses it has the same in torch: for GPUs, and for where numba cannot be imported.

A function is compiled when it is first asked for, for the types in its signatures, and its machine code is kept for
later processes, in a folder of the user's whose name is a hash of the sources: numba itself looks at the file of the
function alone, and would go on with old code after a change of what it calls. Where nothing can be kept, every process
compiles anew.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrd.cache_folder import cache_folder

logger = logging.getLogger(__name__)

#: What numba is told of every function. nogil: other threads of Python go on meanwhile. The error model of NumPy: a
#: division by 0 gives infinity or NaN.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def machine_code(
    function: Callable[..., Any], *signatures: str, sources: Sequence[Path] = ()
) -> Callable[..., Any] | None:
    """Return the machine code of a function; None where there is no numba.

    Args:
        function: A function of numbers and arrays.
        *signatures: The types of its arguments, as numba writes them.
        sources: The files of all that it calls; default: its own.
    """
    return _made(function, signatures, tuple(sources) or (Path(function.__code__.co_filename),))


@functools.cache
def _made(
    function: Callable[..., Any], signatures: tuple[str, ...], sources: tuple[Path, ...]
) -> Callable[..., Any] | None:
    try:
        import numba
    except ImportError:
        return None
    made: Callable[..., Any]
    with _kept_in(folder(sources)) as kept:
        try:
            made = numba.njit(list(signatures), cache=kept, **OPTIONS)(function)
        except OSError as error:  # no room
            logger.info("the machine code of %s cannot be kept: %s", function.__qualname__, error)
            made = numba.njit(list(signatures), **OPTIONS)(function)
    return made


def folder(sources: Sequence[Path]) -> Path | None:
    """Return the folder in which machine code of these very sources is kept; None where there is none for caches."""
    found = hashlib.sha256()
    for source in sorted(sources):
        found.update(source.read_bytes())
    cache = cache_folder()
    return None if cache is None else cache / "machine_code" / found.hexdigest()[:16]


@contextmanager
def _kept_in(place: Path | None) -> Iterator[bool]:
    """Let numba keep machine code in a folder; give whether it can."""
    import numba

    if place is None or not _can_be_written(place):
        yield False
        return
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(place)
    try:
        yield True
    finally:
        numba.config.CACHE_DIR = before


def _can_be_written(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK)
