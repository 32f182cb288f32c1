"""A table of the report, and how its numbers are spelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

MOST_ROWS = 150  # of a table: about four printed pages, more of which nobody reads


@dataclass(frozen=True)
class Table:
    """A table of texts under a header; its first column names the row.

    Attributes:
        caption: over the table.
        header: the name of each column.
        rows: a text for each column.
        numbers: the columns of numbers, which are aligned to the right.
        more: how many rows were left out.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    more: int = 0


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[int] = (),
    most: int = MOST_ROWS,
) -> Table:
    """Return a table of at most so many rows.

    Args:
        caption: over the table.
        header: the name of each column.
        rows: a text for each column.
        numbers: the columns of numbers.
        most: how many rows are kept; the table says how many were left out.
    """
    lines = [tuple(row) for row in rows]
    return Table(caption, tuple(header), tuple(lines[:most]), frozenset(numbers), max(0, len(lines) - most))


def spelled(value: object) -> str:
    """Return a value in words: 4 digits of a number, ``–`` of NaN, ``none`` of ``None``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return whole(int(value))
    if isnan(value):
        return "–"
    return f"{value:.4g}".replace("-", "−") if isfinite(value) else ("∞" if value > 0 else "−∞")


def whole(value: int) -> str:
    """Return a whole number in words, in groups of three digits from five digits on."""
    text = f"{value:,}".replace(",", " ") if abs(value) >= 10_000 else str(value)  # a thin space
    return text.replace("-", "−")


def percent(share: float) -> str:
    """Return a share in whole percents; ``–`` of NaN."""
    return "–" if isnan(share) else f"{100 * share:.0f} %"


def plural(count: int, name: str) -> str:
    """Return a number of things: ``1 run``, ``2 runs``."""
    return f"{whole(count)} {name}{'' if count == 1 else 's'}"
