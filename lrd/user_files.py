"""Text files that users name: regular files, with or without a byte order mark. Standard library alone."""

from __future__ import annotations

import errno
import os
import stat
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
