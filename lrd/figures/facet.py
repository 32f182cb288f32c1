"""Panels of a task and gap each; or of a label each, where a task and gap has too many labels for one panel.

More than ``MOST`` labels, each with its bands and its line of before training, hide each other in one panel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lrd.figures import layout
from lrd.figures.labels import base_of, in_order
from lrd.figures.page import PAGE_COLUMNS, PAGE_ROWS, in_files, pages

MOST = 3  # labels in one panel
RATES = 2.3  # width of a panel with the rates of its lines over it, inches

Place = tuple[str, int]  # panel (the task), gap


@dataclass(frozen=True)
class Facet:
    """One panel: its task and gap, the labels that it shows, and its title."""

    place: Place
    labels: tuple[str, ...]
    title: str


def labels_at(keys: Iterable[tuple[str, int, str]]) -> dict[Place, list[str]]:
    """Return the labels at each task and gap, in natural order, given keys of (panel, gap, label)."""
    found: dict[Place, set[str]] = {}
    for panel, gap, label in keys:
        found.setdefault((panel, int(gap)), set()).add(label)
    return {place: in_order(found[place]) for place in sorted(found)}


def together(labels: list[str]) -> list[tuple[str, list[str]]]:
    """Return which labels share a row of panels, with the name of each row.

    Few labels share one row without a name. Many have a row each; but those that differ by their study alone stay
    together, since they are there to be compared.
    """
    if len(labels) <= MOST:
        return [("", labels)]
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(base_of(label), []).append(label)
    most = max(1, MOST)
    blocks = [(base, group[at : at + most]) for base, group in alike.items() for at in range(0, len(group), most)]
    return [(group[0] if len(group) == 1 else base, group) for base, group in blocks]


def facets(keys: Iterable[tuple[str, int, str]]) -> list[tuple[str, list[list[Facet]]]]:
    """Return the panels of a figure: files of rows of panels.

    Where labels are few everywhere, tasks run down and gaps across. Where any task and gap has many labels, tasks and
    gaps run down, and the labels across.

    Args:
        keys: (panel, gap, label) of all that is drawn.

    Returns:
        For each file the suffix of its name and its rows.
    """
    known = labels_at(keys)
    if all(len(labels) <= MOST for labels in known.values()):
        return [
            (
                page.suffix,
                [
                    [Facet((task, gap), tuple(known[task, gap]), f"{task}, $T$ = {gap}") for gap in gaps]
                    for task, gaps in page.rows
                ],
            )
            for page in pages([panel for panel, _ in known], [gap for _, gap in known], RATES)
        ]
    columns = layout.across(PAGE_COLUMNS, RATES)
    rows = [
        [
            Facet(place, tuple(group), f"{name}: " * bool(name) + f"{place[0]}, $T$ = {place[1]}")
            for name, group in blocks[start : start + columns]
        ]
        for place, blocks in ((place, together(labels)) for place, labels in known.items())
        for start in range(0, len(blocks), columns)
    ]
    return in_files(rows, PAGE_ROWS)
