"""Files that are replaced as a whole, and JSON with non-finite numbers.

Every file is written under a temporary name in its own folder, flushed to the disk and renamed over the old one, so a
reader finds the old file or the new one, and never a half, whatever happens to the writer in between.

JSON has no nan and no infinity: they are written as the strings ``"nan"``, ``"inf"`` and ``"-inf"`` and read back as
floats. A text that happens to be one of these is written with a leading ``~`` (and ``~nan`` as ``~~nan``), so that
every value comes back unchanged.
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
    """A record cannot be written or read. The message is one line: the path, what is wrong, the way out."""


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
    """Return the error for a file that the system refuses to write or read.

    Args:
        path: the file.
        code: errno of the refusal, which decides on the advice.
        detail: what the system said, where there is no advice.
        doing: what was tried: write, read, use.
    """
    reason = WAYS_OUT.get(code or 0) or one_line(detail)
    return RecordError(f"cannot {doing} {path}: {reason}")


_counter = itertools.count()  # so that threads of one process use different temporary names


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file as a whole: fill a temporary file beside it, flush that to the disk and rename it.

    If anything raises in between, an interrupt too, the temporary file is removed and the old file stays.

    Args:
        path: the file.
        write: gets the path of the temporary file, and fills it.

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
    """Write bytes as a whole file, of which no reader sees a half."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomic(path, write)


# -- text --------------------------------------------------------------------------------------------------------------

_BYTES = re.compile("[\udc80-\udcff]+")  # bytes that are no text in the encoding of the system, as Python keeps them
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Return a text that every encoding of Unicode can hold.

    Bytes of a name or an argument that Python could not decode are read as UTF-8, so that a record says the same in
    every locale. What is no UTF-8 becomes U+FFFD.
    """
    if text.isascii():
        return text
    text = _BYTES.sub(lambda found: found[0].encode("ascii", "surrogateescape").decode("utf-8", "replace"), text)
    return _SURROGATES.sub("\ufffd", text)


def utf8_path(path: Path) -> str:
    """Return a path as duckdb takes it: in UTF-8, whatever the locale.

    Raises:
        RecordError: its bytes are no UTF-8.
    """
    try:
        return os.fsencode(path).decode()
    except UnicodeError:
        shown = plain_text(str(path))
        raise RecordError(f"cannot use {shown}: its name is no text in UTF-8; give the folder another") from None


# -- JSON --------------------------------------------------------------------------------------------------------------

_AMBIGUOUS = re.compile(r"~*(?:nan|inf|-inf)")
_ENCODED_SOMEWHERE = re.compile(r'"~*(?:nan|inf|-inf)"|\\u[dD][89a-fA-F]')


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, as a whole.

    Args:
        path: the file.
        value: dicts (with keys of text), lists, text, booleans, numbers, None, paths, and numpy's arrays and scalars.

    Raises:
        TypeError: JSON cannot hold something in it.
        RecordError: the system refuses.
    """
    text = to_json(value, indent=1) + "\n"
    write_bytes(path, text.encode())


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON text, with non-finite numbers as ``"nan"``, ``"inf"`` and ``"-inf"``."""
    return json.dumps(_encode(value), indent=indent, allow_nan=False)


def read_json(path: Path) -> Any:
    """Read a file that ``write_json`` wrote; tuples come back as lists.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: the file is damaged or cannot be read.
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
    """Return the value of a text that ``to_json`` made.

    Raises:
        ValueError: the text is not valid JSON.
    """
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
