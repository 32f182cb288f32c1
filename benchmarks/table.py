"""A table of a benchmark: row by row on the terminal, and as a whole in Markdown for docs/speed.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


class Table:
    """Rows of text under columns with names.

    Attributes:
        about: Lines that stand above the table.
        columns: The names of the columns.
        rows: The rows so far.
        notes: Lines that stand below the table.
    """

    def __init__(self, about: Sequence[str], columns: Sequence[str]) -> None:
        """Print what stands above the table, and its head."""
        self.about, self.columns = list(about), list(columns)
        self.rows: list[list[str]] = []
        self.notes: list[str] = []
        self._widths = [max(len(name), 7) for name in self.columns]
        print("\n".join(self.about))
        self._print(self.columns)

    def add(self, *cells: object) -> None:
        """Print a row, and keep it. Numbers that are not whole are written with two digits behind the point."""
        if len(cells) != len(self.columns):
            raise ValueError(f"a row needs {len(self.columns)} cells, got {len(cells)}")
        self.rows.append([f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells])
        self._print(self.rows[-1])

    def note(self, line: str) -> None:
        """Print a line below the table, and keep it."""
        self.notes.append(line)
        print(line, flush=True)

    def markdown(self) -> str:
        """Return the table, with the lines above and below it, as Markdown."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return "\n\n".join([*self.about, table, *self.notes]) + "\n"

    def _print(self, cells: Sequence[str]) -> None:
        self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        first, *others = zip(cells, self._widths, strict=True)
        print("  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]), flush=True)


def medians_of(rounds: int) -> str:
    """Return how many rounds numbers are medians of, in words."""
    return f"medians of {rounds} rounds" if rounds > 1 else "of one round"


def add_markdown_option(parser: argparse.ArgumentParser) -> None:
    """Give a command line the option ``--markdown``."""
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown into this file, too")


def write_markdown(path: Path | None, *tables: Table) -> None:
    """Write tables as Markdown, one after another, where a file was asked for."""
    if path is not None:
        path.write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
