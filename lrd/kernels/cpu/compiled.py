"""How the functions of this folder are compiled by numba, and where their machine code is kept.

A program is compiled when its module is first imported, for the types in its signature, and kept in a folder of the
user's whose name is a hash of the sources in this folder: numba itself looks at the file of the program alone, and
would go on with old code after a change of what it calls. Where that folder cannot be written, every process compiles
anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

logger = logging.getLogger(__name__)

# nogil: other threads of Python go on meanwhile. The error model of NumPy: a division by 0 gives infinity or NaN.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function for use in programs."""
    return numba.njit(function, **_OPTIONS)


def program(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that Python calls, or take its machine code from the folder.

    Args:
        signature: Its types, as numba writes them.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        with _kept_in(folder()) as kept:
            try:
                return numba.njit(signature, cache=kept, **_OPTIONS)(function)
            except OSError as error:  # a full disk, say
                logger.info("the machine code of %s cannot be kept: %s", function.__module__, error)
        return numba.njit(signature, **_OPTIONS)(function)

    return compiled


def folder() -> Path:
    """Return the folder in which machine code of these very sources is kept."""
    sources = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sources.update(source.read_bytes())
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(cache, "lrd", "kernels", sources.hexdigest()[:16])


@contextmanager
def _kept_in(place: Path) -> Iterator[bool]:
    """Let numba keep machine code in a folder; give whether it can."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(place)
    try:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            yield False
        else:
            yield os.access(place, os.W_OK | os.X_OK)
    finally:
        numba.config.CACHE_DIR = before
