"""A folder for the sockets of workers: a socket's path holds about a hundred bytes, and TMPDIR may be longer."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 107 if sys.platform == "linux" else 103  # bytes of a socket's path
_BELOW = len("/pymp-12345678/listener-12345678")  # what multiprocessing puts below a temporary folder
# Not XDG_RUNTIME_DIR, which is emptied when its user logs out, while a sweep goes on.
SHORT = ("/tmp", "/var/tmp", "/dev/shm")


class NoSocketError(OSError):
    """There is no folder for a socket; the message is one line that says what to set."""


@contextmanager
def short_folder() -> Iterator[None]:
    """Let the private folder that multiprocessing makes for its sockets, and removes, lie where their paths fit.

    Raises:
        NoSocketError: TMPDIR is too long, and no other temporary folder can be written.
    """
    before = tempfile.tempdir
    tempfile.tempdir = _fitting(tempfile.gettempdir())
    try:
        yield
    finally:
        tempfile.tempdir = before


def _fitting(usual: str) -> str:
    for folder in (usual, *SHORT):
        if len(os.fsencode(folder)) <= _MOST - _BELOW and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise NoSocketError(
        f"TMPDIR: must have at most {_MOST - _BELOW} bytes where none of {', '.join(SHORT)} can be written, for the "
        f"sockets of worker processes, got {usual!r}"
    )
