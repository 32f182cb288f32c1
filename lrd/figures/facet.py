"""Panels of a task and gap each; or of a label each, where a task and gap has too many labels for one panel.

More than ``MOST`` labels, each with its bands and its line of before training, hide each other in one panel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lrd.figures import layout
from lrd.figures.labels import PartLabel, base_of, in_order
from lrd.figures.page import PAGE_COLUMNS, PAGE_ROWS, in_files, pages

MOST = 3  # labels in one panel
LONG = 16  # letters of a name that has a line of the title for itself
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


def together(labels: list[str], most: int = 0) -> list[tuple[str, list[str]]]:
    """Return which labels share a row of panels, with the name of each row.

    Few labels share one row without a name. Many have a row each; but those that differ by their study alone stay
    together, since they are there to be compared, and so do the layers of a network.

    Args:
        labels: The labels, in natural order.
        most: How many may share a row; 0: ``MOST``.
    """
    most = max(1, most or MOST)
    if len(labels) <= most:
        return [("", labels)]
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(base_of(label), []).append(label)
    return [block for base, group in alike.items() for block in _blocks(base, group, most)]


def _blocks(base: str, group: list[str], most: int) -> list[tuple[str, list[str]]]:
    """Cut the labels of one base into rows of at most so many; directions are not mixed where they do not all fit."""
    if len(group) > most:
        ways = [[one for one in group if _is_backward(one) is way] for way in (False, True)]
        if all(ways):
            return [block for way in ways for block in _blocks(base, way, most)]
    blocks = [group[at : at + most] for at in range(0, len(group), most)]
    return [(block[0] if len(block) == 1 else _name(base, block, len(blocks) > 1), block) for block in blocks]


def _is_backward(label: str) -> bool:
    return isinstance(label, PartLabel) and label.is_backward


def _name(base: str, block: list[str], is_cut: bool) -> str:
    """Return the name of several labels of one base: what they share."""
    parts = [label for label in block if isinstance(label, PartLabel)]
    if not parts:
        return base
    layers = sorted({part.layer for part in parts})
    where = [f"layers {layers[0]}–{layers[-1]}"] if is_cut and len(layers) > 1 else []
    ways = {part.direction for part in parts}
    return ", ".join([base, *where, *(ways if ways == {"backward"} else ())])


def _title(name: str, group: list[str], place: Place) -> str:
    """Return the title of a panel; where parts of networks have a long name, it has a line for itself."""
    is_long = len(name) > LONG and any(isinstance(label, PartLabel) for label in group)
    between = ":\n" if is_long else ": "
    return f"{name}{between}" * bool(name) + f"{place[0]}, $T$ = {place[1]}"


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
        [Facet(place, tuple(group), _title(name, group, place)) for name, group in blocks[start : start + columns]]
        for place, blocks in ((place, together(labels)) for place, labels in known.items())
        for start in range(0, len(blocks), columns)
    ]
    return in_files(rows, PAGE_ROWS)
