"""Figures with a panel for each cell and state variable, in a line of panels for each task and gap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lrd.figures import layout
from lrd.figures.labels import natural
from lrd.figures.page import in_files

Track = tuple[str, str]  # label, variable
Place = tuple[str, int]  # panel (the task), gap

LINES, ACROSS = 6, 4  # most panels of a page


@dataclass(frozen=True)
class Sheet:
    """One figure file: ``lines`` of panels, each of one task and gap."""

    suffix: str
    lines: list[tuple[Place, list[Track]]]

    @property
    def across(self) -> int:
        """Panels of the longest line."""
        return max(len(tracks) for _, tracks in self.lines)


def sheets(keys: Iterable[tuple[Any, ...]]) -> list[Sheet]:
    """Return the files of a figure with a panel for each (panel, gap, label, variable, ...); h stands before c."""
    found: dict[Place, set[Track]] = {}
    for panel, gap, label, variable, *_ in keys:
        found.setdefault((panel, int(gap)), set()).add((label, variable))
    across = layout.across(ACROSS)
    lines = [
        (place, tracks[start : start + across])
        for place, tracks in ((place, in_order(found[place])) for place in sorted(found))
        for start in range(0, len(tracks), across)
    ]
    return [Sheet(suffix, block) for suffix, block in in_files(lines, LINES)]


def in_order(tracks: Iterable[Track]) -> list[Track]:
    """Return tracks sorted by their cells' names, with h, which every cell has, first of each."""
    return sorted(tracks, key=lambda track: (natural(track[0]), track[1] != "h", track[1]))
