"""Files that a reader never sees half, and JSON with non-finite numbers.

Every file is written under a temporary name in its own folder, flushed to the disk and renamed over the old one, so a
reader finds the old file or the new one, whatever happens to the writer in between.

Numbers in JSON: JSON has no nan and no infinity, so they stand as the strings ``"nan"``, ``"inf"`` and ``"-inf"`` and
are read back as floats. A text that happens to be one of these is written with a leading ``~`` (and ``~nan`` as
``~~nan``), so that every value comes back as it was.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lrd.one_line import one_line

TEMPORARY = ".tmp"  # how the name of a file under construction ends; it begins with a dot


class RecordError(RuntimeError):
    """A record cannot be written or read. One line: the path, what is wrong, the way out."""


WAYS_OUT = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder, then run the same command again",
    errno.EDQUOT: "the quota is used up; free some space or choose another folder, then run the same command again",
    errno.EFBIG: "the file is larger than allowed here; choose another folder or raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission; choose another folder or change its permissions",
    errno.EPERM: "no permission; choose another folder or change its permissions",
    errno.ENOENT: "its folder is gone; run the same command again to start afresh",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EISDIR: "a folder stands in the place of the file; move it away",
}


def storage_error(path: Path, code: int | None, detail: object, doing: str = "write") -> RecordError:
    """The error for a file that the system does not let us write (or read), by its errno."""
    reason = WAYS_OUT.get(code or 0) or one_line(detail)
    return RecordError(f"cannot {doing} {path}: {reason}")


_counter = itertools.count()  # threads of one process write under different temporary names


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, flush it to the disk and put it in the place of ``path``.

    If anything raises in between (an interrupt too), the temporary file is removed and the old file stays as it was.

    Raises:
        RecordError: the system refuses (full disk, no permission, folder gone).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}{TEMPORARY}")
    try:
        write(temporary)
        descriptor = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the first error says what is wrong
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(path, error.errno, error) from error
        raise


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file at once."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomic(path, write)


# -- text --------------------------------------------------------------------------------------------------------------

_BYTES = re.compile("[\udc80-\udcff]+")  # as Python keeps what is no text in the encoding of the system
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Text that every encoding of Unicode can hold: bytes of a name or an argument are read as UTF-8.

    So that a record says the same whatever locale it is written and read in. What is no UTF-8 becomes U+FFFD.
    """
    if text.isascii():
        return text
    text = _BYTES.sub(lambda found: found[0].encode("ascii", "surrogateescape").decode("utf-8", "replace"), text)
    return _SURROGATES.sub("\ufffd", text)


def utf8_path(path: Path) -> str:
    """A path as duckdb takes it, in UTF-8 whatever the locale. Raises ``RecordError`` where its bytes are none."""
    try:
        return os.fsencode(path).decode()
    except UnicodeError:
        shown = plain_text(str(path))
        raise RecordError(f"cannot use {shown}: its name is no text in UTF-8; give the folder another") from None


# -- JSON --------------------------------------------------------------------------------------------------------------

_AMBIGUOUS = re.compile(r"~*(?:nan|inf|-inf)")
_ENCODED_SOMEWHERE = re.compile(r'"~*(?:nan|inf|-inf)"|\\u[dD][89a-fA-F]')


def write_json(path: Path, value: Any) -> None:
    """Write dicts (with str keys), lists, str, bool, int, float, None and their numpy scalars as valid JSON."""
    text = to_json(value, indent=1) + "\n"
    write_bytes(path, text.encode())


def to_json(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON text, in the encoding of the module docstring."""
    return json.dumps(_encode(value), indent=indent, allow_nan=False)


def read_json(path: Path) -> Any:
    """Read what ``write_json`` wrote; tuples come back as lists.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: it is damaged or cannot be read.
    """
    try:
        return from_json(path.read_bytes().decode())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(path, error.errno, error, doing="read") from error
    except (ValueError, RecursionError) as error:  # also wrong JSON and wrong UTF-8
        raise RecordError(f"cannot read {path}: it is damaged ({error})") from error


def from_json(text: str) -> Any:
    """The value of JSON text written by ``to_json``; ValueError for anything that is not valid JSON."""
    value = json.loads(text, parse_constant=_refuse)
    return _decode(value) if _ENCODED_SOMEWHERE.search(text) else value


def _encode(value: Any) -> Any:
    if isinstance(value, str):
        return "~" + value if _AMBIGUOUS.fullmatch(value) else plain_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"keys of a JSON record must be text, got {wrong[0]!r}")
        return {plain_text(key): _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, os.PathLike):
        return _encode(os.fspath(value))
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _encode(value.tolist())
    raise TypeError(f"a JSON record cannot hold {type(value).__name__}: {value!r}")


def _decode(value: Any) -> Any:
    if isinstance(value, str):
        if not _AMBIGUOUS.fullmatch(value):
            return plain_text(value)
        return value[1:] if value.startswith("~") else float(value)
    if isinstance(value, dict):
        return {plain_text(key): _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not valid JSON")
