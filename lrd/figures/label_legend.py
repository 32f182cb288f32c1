"""Entries of a legend for labels: one a network, and one a layer and direction where networks have several parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.lines import Line2D

from lrd.figures.labels import PartLabel, in_order, whole_of
from lrd.figures.line_style import LineStyle, of_part

#: The line style of an entry that stands for any network.
ANY = LineStyle("0.25", "o")


def label_entries(
    labels: Iterable[str], styles: Mapping[str, LineStyle], dashed: bool = False, **options: Any
) -> list[tuple[Any, str]]:
    """Return handles and names: of each network, then of each layer and of what reads backward, in grey.

    Args:
        labels: The labels that are drawn.
        styles: The line style of each of them.
        dashed: Whether the lines of the figure have the dashes of their style.
        options: Keywords of the handles, beside those of their style.
    """
    labels = list(labels)
    networks = in_order(map(whole_of, labels))
    entries = [(_handle(styles[name], dashed, options), name) for name in networks]
    return entries + part_entries(labels, dashed, **options)


def part_entries(labels: Iterable[str], dashed: bool = False, **options: Any) -> list[tuple[Any, str]]:
    """Return handles and names of each layer and of what reads backward, in grey; none for networks of one part."""
    parts = [label for label in labels if isinstance(label, PartLabel)]
    deepest = max((part.deepest for part in parts), default=1)
    entries: list[tuple[Any, str]] = []
    for layer in sorted({part.layer for part in parts}) if deepest > 1 else []:
        style = of_part(ANY, PartLabel("", layer, "forward", (deepest, False), deepest))
        entries.append((_handle(style, dashed, options), f"layer {layer}"))
    if any(part.is_backward for part in parts):
        style = of_part(ANY, PartLabel("", 1, "backward", (1, True), 1))
        entries.append((_handle(style, dashed, options), "backward"))
    return entries


def _handle(style: LineStyle, dashed: bool, options: Mapping[str, Any]) -> Any:
    return Line2D([], [], **style.points | ({"linestyle": style.dashes} if dashed else {}) | dict(options))
