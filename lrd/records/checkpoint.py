"""The last state of a run, from which it goes on: a dict of tensors, numbers, text, lists and dicts.

The file is torch's zip archive. Its comment, which is its last bytes, holds the schema version and the update at which
the state was taken, so that a plan over many runs learns their updates without reading what they hold.
"""

from __future__ import annotations

import io
import os
import re
import struct
from pathlib import Path
from typing import Any

from lrd.records.files import RecordError, storage_error, write_bytes
from lrd.records.schema import SCHEMA_VERSION


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` with the schema version; tensors go to the CPU, views without the rest of their storage.

    Args:
        path: the file, which is replaced as a whole.
        content: what to keep; ``content["pack"]["update"]``, if there is one, is what ``checkpoint_update`` reads.

    Raises:
        TypeError: something in it could not be loaded again without running code.
        RecordError: the system refuses.
    """
    import torch

    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA_VERSION, "content": _plain(content, "checkpoint")}, buffer)
    write_bytes(path, _with_update(buffer.getvalue(), content.get("pack", {}).get("update")))


def checkpoint_update(path: Path) -> int | None:
    """Read the update of a checkpoint from the file's last bytes; None where there is no checkpoint.

    A file without that comment is loaded whole. What else it holds may be damaged, which only loading it shows.

    Raises:
        RecordError: the file is cut off, damaged or was written with another schema version.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(path, error.errno, error, doing="read") from error
    found = _COMMENT.search(tail)
    if found and int(found[1]) == SCHEMA_VERSION:
        return int(found[2])
    content = load_checkpoint(path)
    return None if content is None else int(content["pack"]["update"])


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read ``content`` back with its tensors on the CPU; None where there is no checkpoint.

    Raises:
        RecordError: the file is damaged or was written with another schema version.
    """
    import torch

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(path, error.errno, error, doing="read") from error
    way_out = "remove the file to start this run afresh"
    try:
        _check_sums(data)
        whole = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        version = whole["schema"]
    except Exception as error:  # torch raises many kinds for a damaged file, and each means just that
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordError(f"cannot read {path}: it is damaged ({detail}); {way_out}") from error
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"cannot read {path}: it has schema version {version!r} and this lrd reads {SCHEMA_VERSION}; {way_out}"
        )
    content: dict[str, Any] = whole["content"]
    return content


_END = b"PK\x05\x06"  # how the last entry of a zip archive begins: 22 bytes and the comment, whose length is last
_COMMENT = re.compile(re.escape(_END) + rb".{18}lrd schema (\d+) update (\d+)\Z", re.DOTALL)
_TAIL = 100  # bytes that hold that entry with its comment
_SIMPLE = {type(None), bool, int, float, str}  # what is kept as it is


def _with_update(archive: bytes, update: int | None) -> bytes:
    """Return a zip archive without a comment with one that ``_COMMENT`` finds."""
    if update is None or archive[-22:-18] != _END or archive[-2:] != b"\0\0":
        return archive
    comment = f"lrd schema {SCHEMA_VERSION} update {update}".encode()
    return archive[:-2] + struct.pack("<H", len(comment)) + comment


def _check_sums(data: bytes) -> None:
    """Compare the checksums of the archive with its parts, which torch.load does not: a flipped bit is damage too."""
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if part := archive.testzip():
            raise ValueError(f"checksum of {part}")


def _plain(value: Any, where: str) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        # torch.save keeps the whole storage behind a view: for one run's slice of a pack, every run of the pack
        return value.clone() if value.untyped_storage().nbytes() > value.nbytes else value
    if type(value) in _SIMPLE:
        return value
    if isinstance(value, dict):
        return {_plain(key, where): _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list) and _SIMPLE.issuperset(map(type, value)):  # long columns of text
        return list(value)
    if isinstance(value, list | tuple):
        items = [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise TypeError(f"{where} must be a tensor, number, text, list or dict, got {type(value).__name__}")
