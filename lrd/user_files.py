"""Files that users name: regular text files, and the modules that their programs make. Standard library alone."""

from __future__ import annotations

import errno
import os
import stat
import sys
import traceback
import types
from pathlib import Path


def path_of(text: str | Path) -> Path:
    """Return the path that a user wrote, with ``~`` as in a shell."""
    return Path(os.path.expanduser(text))


def check_regular(path: Path) -> os.stat_result:
    """Return the system's description of a regular file.

    Raises:
        OSError: there is no such file, or it is a folder, a pipe, a device or a socket, whose end may never come.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return found


def read_user_text(path: Path) -> str:
    """Return the text of a regular file in UTF-8, without the byte order mark that some editors put before it.

    Raises:
        OSError: it is no regular file, or cannot be read.
        UnicodeDecodeError: it is no text in UTF-8.
    """
    check_regular(path)
    return path.read_text(encoding="utf-8-sig")


def import_beside(path: Path) -> None:
    """Let this process import what lies beside a user's file; nothing there hides a module of another place."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))


def run_as_module(path: Path, text: str, name: str) -> types.ModuleType:
    """Return the module that the text of a file makes.

    Args:
        path: the file, for the lines of tracebacks.
        text: what the file says, or said.
        name: what ``sys.modules`` keeps it under, where dataclasses look for the names of their annotations.

    Raises:
        BaseException: whatever the text raises when it is run; no module is kept then.
    """
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(text, str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def line_in(error: BaseException, path: Path) -> int | None:
    """Return the innermost line of a file that an error passed through; None where it passed through none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
