"""Functions of plain numbers and NumPy arrays as machine code, made by numba, where that is installed.

For the kernels of the CPU, and for what would be a dozen passes of torch over one tensor, each with a call of its own,
and is one loop here. Whoever uses it has the same in torch: for GPUs, and for where numba cannot be imported.

A function is compiled when it is first asked for, for the types in its signatures, and its machine code is kept for
later processes, in a folder of the user's whose name is a hash of the sources and of what compiles them: numba itself
looks at the file of the function alone, and would go on with old code after a change of what it calls. Where nothing
can be kept, every process compiles anew.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
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
    """Return the machine code of a function; None where there is no numba, or one that does not work.

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
        return compiled(function, *signatures, sources=sources)
    except Exception as error:  # a broken numba raises whatever it meets, as one does that finds another NumPy
        logger.info("%s is not compiled: %r", function.__qualname__, error)
        return None


def compiled(function: Callable[..., Any], *signatures: str, sources: Sequence[Path]) -> Callable[..., Any]:
    """Return the machine code of a function, where numba must be there and work; arguments as of ``machine_code``.

    Raises:
        Exception: What numba raises.
    """
    import numba

    made: Callable[..., Any]
    place = folder(sources)
    with _kept_in(place) as kept:
        try:
            made = numba.njit(list(signatures), cache=kept, **OPTIONS)(function)
        except Exception as error:
            made = numba.njit(list(signatures), **OPTIONS)(function)  # an error of the function itself comes again
            logger.info("the machine code of %s cannot be kept or read: %s", function.__qualname__, error)
            if place is not None and not isinstance(error, OSError):  # OSError: no room
                shutil.rmtree(place, ignore_errors=True)  # what is damaged would be so for every later process
    return made


def is_kept(function: Callable[..., Any], sources: Sequence[Path]) -> bool:
    """Return whether machine code of a function seems to be kept, so that it need not be compiled."""
    place = folder(sources)  # in which numba names files by module, function and line
    return place is not None and any(place.rglob(f"{function.__module__.rpartition('.')[2]}.{function.__name__}-*.nbi"))


def folder(sources: Sequence[Path]) -> Path | None:
    """Return the folder in which machine code of these very sources is kept; None where there is no home.

    It does not import numba, which must be installed.

    Args:
        sources: The files that it is made of, beside this one.
    """
    caches, found = cache_folder(), hashlib.sha256(repr(_compiler()).encode())
    for source in sorted({*sources, Path(__file__)}):
        found.update(source.read_bytes())
    return None if caches is None else caches / "machine_code" / found.hexdigest()[:16]


@functools.cache
def _compiler() -> tuple[str, ...]:
    """Return what tells apart compilers and processors.

    Machines of several kinds may share a home, and numba's index of a folder does not bear that two of them write to it
    at once: one would run the other's instructions.
    """
    from llvmlite import binding

    return version("numba"), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


_setting = threading.Lock()  # numba has one folder for the whole process


@contextmanager
def _kept_in(place: Path | None) -> Iterator[bool]:
    """Let numba keep machine code in a folder; give whether it can."""
    import numba

    with _setting:
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(place or "")
        try:
            yield place is not None and _is_writable(place)
        finally:
            numba.config.CACHE_DIR = before


def _is_writable(place: Path) -> bool:
    """Make a folder; return whether files can be made in it."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK)
