"""Whether the tables of a run are what was written: a flipped bit in one would be read as another number.

A finished run changes only where a probe looks at it afterwards, so its status.json keeps the checksums of its tables.
Of a run that goes on, and of one
finished before lrd kept them, only a table that is cut off is known to be damaged.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from lrd.records import schema
from lrd.records.files import RecordError, plain_text, read_json, storage_error


def sum_of(path: Path) -> int:
    """CRC-32 of a file."""
    return zlib.crc32(path.read_bytes())


def sums_of(folder: Path) -> dict[str, int]:
    """CRC-32 of every table in the folder of a run, by file name, those of further probes included.

    Raises:
        RecordError: the system refuses.
    """
    try:
        return {path.name: sum_of(path) for path in sorted(folder.glob("*.parquet"))}
    except OSError as error:
        raise storage_error(folder, error.errno, error, doing="read") from error


def kept_sums(folder: Path) -> Mapping[str, int]:
    """The checksums that a finished run keeps; {} for any other."""
    try:
        kept = read_json(folder / schema.STATUS).get("crc32")
    except (FileNotFoundError, RecordError, AttributeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def is_whole(path: Path, expected: int | None) -> bool:
    """Whether a table has the checksum that is expected of it, or at least begins and ends as one."""
    try:
        return _ends_well(path) if expected is None else sum_of(path) == expected
    except OSError:
        return False


def damaged_tables(folder: Path) -> list[str]:
    """A line for each table of a finished run that is not what was written, or is gone."""
    return [problem(folder / name) for name, kept in kept_sums(folder).items() if not is_whole(folder / name, kept)]


def problem(path: Path, detail: str = "") -> str:
    """The line that names a table and says what is wrong with it."""
    wrong = f"damaged ({detail})" if detail else "damaged or cut off" if path.exists() else "gone"
    return plain_text(f"cannot read {path}: it is {wrong}; left out")


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
        file.seek(-8, os.SEEK_END)
        footer = file.read(8)
        return footer[4:] == b"PAR1" and int.from_bytes(footer[:4], "little") + 12 <= file.tell()
