"""The files of a figure: pictures as PDF and PNG, its numbers as CSV, and its manifest.

Nothing of the clock or the machine goes into a file: the same records give the same bytes.
"""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from lrd.figures import manifest, page_processes, pictures
from lrd.figures.drawable_text import literal
from lrd.figures.drawing import current_drawing
from lrd.figures.labels import PartLabel
from lrd.figures.layout import letters_across
from lrd.records.files import write_bytes


def save_figure(figure: Figure, out: Path, name: str, table: Sequence[Mapping[str, object]]) -> list[Path]:
    """Write a figure as name.pdf and name.png, its numbers as name.csv and its manifest as name.json.

    The pictures are there when the script's ``draw`` returns (``page_processes``).

    Args:
        figure: The figure, as ``layout.grid`` made it.
        out: Folder for the files; made where it is not there.
        name: Name of the files, and of the figure.
        table: The numbers that are drawn, a mapping a row; all have the same keys. Rows with the columns panel, gap and
            label say which runs the figure shows (``manifest``).

    Returns:
        The files written.
    """
    table = _parts_apart(table)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    _wrap(figure)
    _make_literal(figure)
    _thicken(figure, current_drawing().options.style.strokes)
    page_processes.save(name, partial(pictures.write, figure, *paths[:2]))
    write_table(paths[2], table)
    return paths + manifest.write(out / f"{name}.json", paths[2], table, float(figure.get_figwidth()))


def _parts_apart(table: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """Return rows in which labels name whole networks, with the columns layer and direction of their parts behind.

    A row about the whole of a network of which others are about a part has neither. A table without parts of networks
    stays as it is.
    """
    wholes = {label.whole for row in table if isinstance(label := row.get("label"), PartLabel)}
    if not wholes:
        return table
    apart = []
    for row in table:
        label = row["label"]
        part: tuple[object, object] = (label.layer, label.direction) if isinstance(label, PartLabel) else (1, "forward")
        if not isinstance(label, PartLabel) and label in wholes:
            part = (None, None)
        whole = label.whole if isinstance(label, PartLabel) else label
        split = {"label": whole, "layer": part[0], "direction": part[1]}
        new: dict[str, object] = {}
        for name, value in row.items():
            new |= split if name == "label" else {name: value}
        apart.append(new)
    return apart


def save_table(out: Path, name: str, table: Sequence[Mapping[str, object]]) -> list[Path]:
    """Write numbers that are not drawn as name.csv, and their manifest, which has no width; return the files."""
    path = write_table(out / f"{name}.csv", table)
    return [path, *manifest.write(out / f"{name}.json", path, table, None)]


def _wrap(figure: Figure) -> None:
    """Break the labels of axes that are longer than their panel is wide."""
    for axes in figure.axes:
        label = axes.get_xlabel()
        letters = letters_across(axes)
        if len(label.replace("$", "")) > letters:
            axes.set_xlabel(textwrap.fill(label, letters))


def _make_literal(figure: Figure) -> None:
    """Let no text stop a figure: what is neither mathtext nor has all its glyphs is drawn letter by letter."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(literal(text.get_text()))


def _thicken(figure: Figure, strokes: float) -> None:
    """Make lines and marks thicker, ticks and the grid among them, by the factor of a style."""
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
    """Write rows of equal keys as a CSV, with names as the records have them; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0])
    writer.writerows([_text(value) for value in row.values()] for row in table)
    write_bytes(path, text.getvalue().encode())
    return path


def _text(value: object) -> str:
    """Return a cell of the CSV: 9 significant digits, empty for what was not measured, inf and -inf in words."""
    if value is None:
        return ""
    if isinstance(value, str):
        return current_drawing().recorded.get(value, value)
    number = float(value)  # type: ignore[arg-type]
    return "" if math.isnan(number) else f"{number:.9g}"
