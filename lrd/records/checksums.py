"""Checksums of the tables of a run: a flipped bit in a table would be read as another number.

The status.json of a finished run keeps the checksums of its tables, since they change only where a probe measures the
run afterwards. In a run that still trains, or was finished before lrd kept checksums, damage is noticed only where a
table is cut off.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from lrd.records import schema
from lrd.records.files import RecordError, plain_text, read_json, storage_error


def sum_of(path: Path) -> int:
    """Return the CRC-32 of a file."""
    return zlib.crc32(path.read_bytes())


def sums_of(folder: Path) -> dict[str, int]:
    """Return the CRC-32 of every table in the folder of a run, by file name.

    Raises:
        RecordError: the system refuses.
    """
    try:
        return {path.name: sum_of(path) for path in sorted(folder.glob("*.parquet"))}
    except OSError as error:
        raise storage_error(folder, error.errno, error, doing="read") from error


def kept_sums(folder: Path) -> Mapping[str, int]:
    """Return the checksums that a finished run keeps, by file name; {} for any other run."""
    try:
        kept = read_json(folder / schema.STATUS).get("crc32")
    except (FileNotFoundError, RecordError, AttributeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def is_whole(path: Path, expected: int | None) -> bool:
    """Return whether a table is as it was written.

    Args:
        path: the file of the table.
        expected: its checksum; without one, only the first and last bytes are checked, which a parquet file must have.
    """
    try:
        return _ends_well(path) if expected is None else sum_of(path) == expected
    except OSError:
        return False


def damaged_tables(folder: Path) -> list[str]:
    """Return one line for each table of a finished run that was changed since, or is gone."""
    return [problem(folder / name) for name, kept in kept_sums(folder).items() if not is_whole(folder / name, kept)]


def problem(path: Path, detail: str = "") -> str:
    """Return the line that reports a table as damaged (``detail`` says how), cut off or gone."""
    wrong = f"damaged ({detail})" if detail else "damaged or cut off" if path.exists() else "gone"
    return plain_text(f"cannot read {path}: it is {wrong}; left out")


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
        file.seek(-8, os.SEEK_END)
        footer = file.read(8)
        return footer[4:] == b"PAR1" and int.from_bytes(footer[:4], "little") + 12 <= file.tell()
