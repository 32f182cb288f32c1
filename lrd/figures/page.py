"""Panels in as many figure files as they need to stay legible; nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lrd.figures import layout

PAGE_ROWS, PAGE_COLUMNS = 5, 3  # most panels of a page: more would not be legible at the width of a paper

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """The panels of one figure file: a row a task, its gaps across."""

    suffix: str
    rows: list[tuple[str, list[int]]]

    @property
    def columns(self) -> int:
        """Panels of the longest row."""
        return max(len(gaps) for _, gaps in self.rows)

    def __contains__(self, panel: tuple[str, int]) -> bool:
        return any(panel[0] == task and panel[1] in gaps for task, gaps in self.rows)


def in_files(lines: Sequence[T], most: int) -> list[tuple[str, list[T]]]:
    """Return lines of panels in as many files as they need.

    Args:
        lines: The lines.
        most: Lines of a file, at most.

    Returns:
        For each file the suffix of its name and its lines.
    """
    starts = range(0, len(lines), most)
    return [(f"_{file + 1}" if file else "", list(lines[start : start + most])) for file, start in enumerate(starts)]


def pages(panels: Iterable[str], gaps: Iterable[int], narrowest: float = layout.NARROWEST) -> list[Page]:
    """Return the pages of a figure with a panel for each task and gap; nothing is left out.

    Each task has its own gaps: the first column is the smallest gap of each, and so on.

    Args:
        panels: The task of each thing that is drawn, such as a run.
        gaps: Its gap.
        narrowest: The least width of a panel with its axis, in inches of the paper.
    """
    swept: dict[str, set[int]] = {}
    for panel, gap in zip(panels, gaps, strict=True):
        swept.setdefault(panel, set()).add(int(gap))
    columns = layout.across(PAGE_COLUMNS, narrowest)
    lines = [
        (task, sorted(swept[task])[start : start + columns])
        for start in range(0, max(map(len, swept.values()), default=0), columns)
        for task in sorted(swept)
        if start < len(swept[task])
    ]
    return [Page(suffix, block) for suffix, block in in_files(lines, PAGE_ROWS)]
