"""How figures are laid out for a two-column paper: panels, titles, the legend above them and the lines below.

Sizes and lengths are those of the paper (``styles``) times how much larger the style's text is. Figures have a canvas
of their own: ``pyplot``, which would look for a backend, has no part in it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrd.figures.drawing import current_drawing
from lrd.figures.line_style import SEQUENCE
from lrd.figures.styles import DOUBLE, FONT, SINGLE

NARROWEST = 1.7  # width of a panel with its axis, inches
SMALL = 6.5  # points: numbers written into panels
GREY = "0.45"
HAIR = "\u200a"  # a space of a hair's width
POINTS_A_LETTER = 1.75  # a letter of DejaVu Sans is 4/7 as wide as its font is high, about


def scale() -> float:
    """Return how much larger the text is than that of the paper."""
    return float(matplotlib.rcParams["font.size"]) / FONT


def small() -> float:
    """Return the size of numbers written into panels, in points."""
    return SMALL * scale()


def colour_map_of_pictures() -> str:
    """Return the name of the colour map of pictures, such as heat maps.

    Its steps are even in grey and for colour-blind eyes too (van der Walt & Smith 2015).
    """
    return "gray" if current_drawing().options.style.grey else SEQUENCE


def across(most: int, narrowest: float = NARROWEST) -> int:
    """Return how many panels stand side by side: ``most``, or as many as are legible in the width of the figure.

    Args:
        most: The number of panels to place, or the most that a row may have.
        narrowest: The least width of a panel with its axis, in inches of the paper.
    """
    width = current_drawing().options.width or DOUBLE
    return max(1, min(most, int(width / (narrowest * scale()) + 1e-9)))


def grid(rows: int, columns: int, panel_height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """Return a new figure and its panels [rows][columns].

    It is as wide as its options say; by default one column of a paper for one panel a row, and two for more.

    Args:
        rows: Panels below one another.
        columns: Panels side by side.
        panel_height: Height of a panel with its axis and title, in inches of the paper.
        options: Keywords of matplotlib's ``Figure.subplots``, such as ``sharey=True``.
    """
    width = current_drawing().options.width or (SINGLE if columns == 1 else DOUBLE)
    height = panel_height * scale() * rows
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def folded(lines: int, panels: int, panel_height: float) -> tuple[Figure, list[list[Axes]]]:
    """Return a new figure and its panels [lines][panels], with each line folded into rows where the figure is narrow.

    Where the last row of a line would not be full, its first panel is wider instead: no panel stands alone in a row.

    Args:
        lines: Lines of panels.
        panels: Panels of a line.
        panel_height: Height of a panel with its axis and title, in inches of the paper.
    """
    columns = across(panels)
    rows = -(-panels // columns)
    wider = rows * columns - panels
    figure, axes = grid(lines * rows, columns, panel_height)
    places = axes[0][0].get_gridspec()
    assert places is not None
    found = []
    for line in range(lines):
        flat = [one for row in axes[line * rows : (line + 1) * rows] for one in row]
        for covered in flat[: wider + 1] if wider else []:
            covered.remove()
        first = [figure.add_subplot(places[line * rows, : wider + 1])] if wider else []
        found.append(first + flat[wider + 1 if wider else 0 :])
    return figure, found


def head(axes: Axes, title: str, note: str = "") -> None:
    """Name a panel at its upper left, with a small grey note at its upper right; below the title if it is narrow."""
    title = fitted(axes, title)
    letters = FONT * len(title.splitlines()[-1].replace("$", "")) + SMALL * len(note)
    under = "\n" if note and letters > POINTS_A_LETTER * _points_across(axes) else ""
    axes.set_title(title + under, loc="left", pad=3)
    if note:
        axes.set_title(note, loc="right", pad=3, fontsize=small(), color=GREY)


def fitted(axes: Axes, title: str) -> str:
    """Return a title broken into as many lines as it needs to stay over its panel."""
    letters = int(1.15 * POINTS_A_LETTER * (_points_across(axes) + 18) / FONT)  # a little further is no harm
    return "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, letters))


def letters_across(axes: Axes) -> int:
    """Return about how many letters of the paper's text fit along the axis of a panel."""
    return int(POINTS_A_LETTER * (_points_across(axes) + 18) / FONT)


def _points_across(axes: Axes) -> float:
    """Return about how wide a panel is without the labels of its axis, in points of the paper.

    It is not known exactly before the layout is made.
    """
    place, figure = axes.get_subplotspec(), axes.figure
    assert isinstance(figure, Figure)
    columns = 1 if place is None else place.get_gridspec().ncols / len(place.colspan)
    return 72 * (float(figure.get_figwidth()) / scale() / columns - 0.4)


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Place one legend over all panels, in as many columns as fit; the figure grows by its height."""
    entry = 0.5 + 0.055 * max(len(label.replace("\\partial", "")) for label in labels)  # inches, roughly
    columns = max(1, min(len(labels), int(figure.get_figwidth() / (entry * scale()))))
    figure.set_figheight(figure.get_figheight() + scale() * (0.17 * -(-len(labels) // columns) + 0.08))
    shown = [f"{HAIR}{label}" if label.startswith("_") else label for label in labels]  # or matplotlib leaves it out
    figure.legend(handles, shown, loc="outside upper center", ncols=columns)


def foot(figure: Figure, lines: Sequence[str]) -> None:
    """Write small grey lines under a figure: what was counted, what a band is. The figure grows by their height."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, int(figure.get_figwidth() * 20 / scale()))]
    figure.set_figheight(figure.get_figheight() + scale() * (0.13 * len(wrapped) + 0.05))
    figure.supxlabel("\n".join(wrapped), fontsize=small(), color=GREY, x=0.01, ha="left")
