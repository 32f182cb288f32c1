"""One way to lay figures of a two-column paper out, and one way to save them, in the style and width asked for.

Sizes, lengths and widths are those of the paper (``settings``) times what the style's text is larger. Nothing of the
clock or the machine goes into a file: the same records give the same bytes. Settings begin from matplotlib's own
defaults, whatever a matplotlibrc says, and figures have a canvas of their own: ``pyplot``, which would look for a
backend, has no part in it.
"""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from io import StringIO
from pathlib import Path
from typing import Any

import drawable
import drawing
import manifest
import matplotlib
import numpy as np
import own_settings
import pictures
import saving
from looks import FREE, KNOWN, SEQUENCE, Look, looks
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from settings import DOUBLE, FONT, SETTINGS, SINGLE

from lrd.records.files import write_bytes

__all__ = ["DOUBLE", "FREE", "KNOWN", "SETTINGS", "SINGLE", "Look", "looks"]

NARROWEST = 1.7  # width of a panel with its axis, inches
SMALL = 6.5  # points: numbers written into panels
GREY = "0.45"
HAIR = "\u200a"  # a space of a hair's width
POINTS_A_LETTER = 1.75  # a letter of DejaVu Sans is 4/7 as wide as its font is high, about


def paper(draw: Callable[..., list[Path]]) -> Callable[..., list[Path]]:
    """Give every figure that ``draw(study, out, ...)`` makes the style and width of ``asked``, a further argument.

    Its pages are saved at the same time; their files are there when it returns, or at the end of ``saving.together``
    around it. The caller's settings of matplotlib are left alone.
    """

    @wraps(draw)
    def drawn(study: Any, *args: Any, asked: drawing.Asked | None = None, **kwargs: Any) -> list[Path]:
        with drawing.drawing(asked, study) as watched, own_settings.only(_settings()), saving.together():
            return draw(watched, *args, **kwargs)

    return drawn


def _settings() -> Any:  # matplotlib's stub wants the keys as literals
    return drawing.current().asked.style.settings


def scale() -> float:
    """How much larger the text is than that of the paper."""
    return float(matplotlib.rcParams["font.size"]) / FONT


def small() -> float:
    """Size of numbers written into panels, points."""
    return SMALL * scale()


def sequence() -> str:
    """The colours of pictures: even steps also in grey and for colour-blind eyes (van der Walt & Smith 2015)."""
    return "gray" if drawing.current().asked.style.grey else SEQUENCE


def across(most: int, narrowest: float = NARROWEST) -> int:
    """Panels side by side: ``most``, or as many as are legible in the width asked for, ``narrowest`` inches each."""
    width = drawing.current().asked.width or DOUBLE
    return max(1, min(most, int(width / (narrowest * scale()) + 1e-9)))


def grid(rows: int, columns: int, panel_height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows x columns panels: as wide as asked for; else one column for one panel a row, two for more."""
    width = drawing.current().asked.width or (SINGLE if columns == 1 else DOUBLE)
    height = panel_height * scale() * rows
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def folded(lines: int, panels: int, panel_height: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure of lines of so many panels, each in as many rows as the width asked for makes of them.

    Where the last row would not be full, the first panel of a line is wider instead: no panel stands alone in a row.
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
    """Name a panel at its upper left, with a small grey note at its upper right: under the title if it is narrow."""
    title = fitted(axes, title)
    letters = FONT * len(title.splitlines()[-1].replace("$", "")) + SMALL * len(note)
    under = "\n" if note and letters > POINTS_A_LETTER * _points_across(axes) else ""
    axes.set_title(title + under, loc="left", pad=3)
    if note:
        axes.set_title(note, loc="right", pad=3, fontsize=small(), color=GREY)


def fitted(axes: Axes, title: str) -> str:
    """A title in as many lines as it needs to stay over its panel."""
    letters = int(1.15 * POINTS_A_LETTER * (_points_across(axes) + 18) / FONT)  # a little further is no harm
    return "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, letters))


def _points_across(axes: Axes) -> float:
    """Width of a panel without the labels of its axis, in points of the paper, about: the layout is not made yet."""
    place, figure = axes.get_subplotspec(), axes.figure
    assert isinstance(figure, Figure)
    columns = 1 if place is None else place.get_gridspec().ncols / len(place.colspan)
    return 72 * (float(figure.get_figwidth()) / scale() / columns - 0.4)


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """One legend over all panels, in as many columns as fit; the figure grows by its height."""
    entry = 0.5 + 0.055 * max(len(label.replace("\\partial", "")) for label in labels)  # inches, roughly
    columns = max(1, min(len(labels), int(figure.get_figwidth() / (entry * scale()))))
    figure.set_figheight(figure.get_figheight() + scale() * (0.17 * -(-len(labels) // columns) + 0.08))
    shown = [f"{HAIR}{label}" if label.startswith("_") else label for label in labels]  # or matplotlib leaves it out
    figure.legend(handles, shown, loc="outside upper center", ncols=columns)


def foot(figure: Figure, lines: Sequence[str]) -> None:
    """Small grey lines under a figure, what was counted and what a band is; the figure grows by their height."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, int(figure.get_figwidth() * 20 / scale()))]
    figure.set_figheight(figure.get_figheight() + scale() * (0.13 * len(wrapped) + 0.05))
    figure.supxlabel("\n".join(wrapped), fontsize=small(), color=GREY, x=0.01, ha="left")


def save(figure: Figure, out: Path, name: str, table: Sequence[Mapping[str, object]]) -> list[Path]:
    """Write name.pdf, name.png, name.csv (the numbers drawn, one mapping a row) and name.json to ``out``.

    The last is the manifest (``manifest``), of a figure that a script draws of a study.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    _wrap(figure)
    _make_literal(figure)
    _thicken(figure, drawing.current().asked.style.strokes)
    saving.save(name, partial(pictures.write, figure, *paths[:2]))
    write_table(paths[2], table)
    return paths + manifest.write(out / f"{name}.json", paths[2], table, float(figure.get_figwidth()))


def save_table(out: Path, name: str, table: Sequence[Mapping[str, object]]) -> list[Path]:
    """Write name.csv, numbers that are not drawn, and its manifest, which has no width."""
    csv = write_table(out / f"{name}.csv", table)
    return [csv, *manifest.write(out / f"{name}.json", csv, table, None)]


def _wrap(figure: Figure) -> None:
    """Break the labels of axes that are longer than their panel is wide."""
    for axes in figure.axes:
        label = axes.get_xlabel()
        letters = int(POINTS_A_LETTER * (_points_across(axes) + 18) / FONT)
        if len(label.replace("$", "")) > letters:
            axes.set_xlabel(textwrap.fill(label, letters))


def _make_literal(figure: Figure) -> None:
    """Let no text stop a figure: what is neither mathtext nor has all its glyphs is drawn letter by letter."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(drawable.literal(text.get_text()))


def _thicken(figure: Figure, strokes: float) -> None:
    """Lines and marks of the paper as they are in a style with thicker ones, ticks and the grid among them."""
    if strokes == 1:
        return
    for line in figure.findobj(Line2D):
        assert isinstance(line, Line2D)
        line.set(linewidth=strokes * line.get_linewidth(), markersize=strokes * line.get_markersize())
        line.set_markeredgewidth(strokes * line.get_markeredgewidth())
    for lines in figure.findobj(LineCollection):
        assert isinstance(lines, LineCollection)
        lines.set_linewidth((strokes * np.asarray(lines.get_linewidth())).tolist())


def write_table(path: Path, table: Sequence[Mapping[str, object]]) -> Path:
    """Write rows of equal keys as a CSV, with names as the records have them; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0])
    writer.writerows([_text(value) for value in row.values()] for row in table)
    write_bytes(path, text.getvalue().encode())
    return path


def _text(value: object) -> str:
    """A cell of the CSV: 9 significant digits, empty for what was not measured, inf and -inf in words."""
    if value is None:
        return ""
    if isinstance(value, str):
        return drawing.current().said.get(value, value)
    number = float(value)  # type: ignore[arg-type]
    return "" if math.isnan(number) else f"{number:.9g}"
