"""A passage of text in a panel, each character on the colour of a number: what a unit does as it reads.

Lines end where those of the text end; one that is longer than the panel is wide goes on in the next. An end of a line
is a character too, drawn as a small arrow. Letters are drawn as outlines, all of a panel at once: as hundreds of texts
they would take many times as long, and in words they would leave their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from lrd.figures import layout
from lrd.figures.drawable_text import has_glyph
from lrd.figures.drawing import current_drawing
from lrd.figures.tables import Array

FONT = "DejaVu Sans Mono"  # comes with matplotlib
SIZE = 5.4  # points, of the paper: a line of 72 characters fits into half a page
ACROSS, DOWN = 0.605, 1.4  # of the font's size: width and height of a character's place
WIDTH, MIDDLE = 0.602, 0.32  # of the font: width of every letter, and half its height over the line that it stands on
MARK = "0.1"  # colour of the line under a character
END, UNKNOWN = "↵", "□"  # what stands for an end of a line, and for a character that the font lacks


def places_of(characters: Sequence[str], columns: int) -> list[tuple[int, int]]:
    """Return row and column of each character of a passage; an end of a line may stand one column further out."""
    places, row, column = [], 0, 0
    for character in characters:
        if column == columns and character != "\n":
            row, column = row + 1, 0
        places.append((row, column))
        row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
    return places


def columns_in(width: float) -> int:
    """Return how many characters fit into a line of a panel.

    Args:
        width: of the panel, in inches.
    """
    return max(10, int(72 * width / (ACROSS * SIZE * layout.scale())) - 1)


def height_of(rows: int) -> float:
    """Return the height of so many lines, in inches of the paper."""
    return rows * DOWN * SIZE / 72


def colours() -> tuple[Colormap, Normalize]:
    """Return colours for numbers from -1 to 1 on which black text can be read; 0 is white but in the style ``grey``."""
    if current_drawing().options.style.grey:
        return LinearSegmentedColormap.from_list("text", ["1.0", "0.5"]), Normalize(-1, 1)
    whole = matplotlib.colormaps["PuOr_r"](np.linspace(0.21, 0.79, 255))
    return LinearSegmentedColormap.from_list("text", whole), Normalize(-1, 1)


def draw_passage(
    axes: Axes, characters: Sequence[str], values: Array, marked: Iterable[int], columns: int, rows: int
) -> Any:
    """Draw a passage into a panel and return its picture, for a colour bar.

    Args:
        axes: the panel.
        characters: of the passage.
        values: a number from -1 to 1 for each.
        marked: places in the passage of the characters that have a line under them.
        columns: characters of a line, at most.
        rows: lines that the panel has room for.
    """
    places = places_of(characters, columns)
    cells = np.full((rows, columns + 1), np.nan)
    for place, value in zip(places, values, strict=True):
        cells[place] = value
    colour_map, scale = colours()
    picture = axes.imshow(
        np.ma.masked_invalid(cells), cmap=colour_map, norm=scale, aspect="auto", interpolation="nearest"
    )
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = figure.dpi_scale_trans
    for ends, how in ((False, {"color": "black"}), (True, {"color": layout.GREY})):
        chosen = [(c, place) for c, place in zip(characters, places, strict=True) if (c == "\n") is ends]
        outlines = [(outline(c), place[::-1]) for c, place in chosen if not c.isspace() or ends]
        if outlines:
            paths, offsets = zip(*outlines, strict=True)
            letters = PathCollection(paths, offsets=offsets, offset_transform=axes.transData, linewidths=0, **how)
            letters.set_transform(Affine2D().scale(SIZE * layout.scale() / 72) + inches)
            letters.set_snap(False)  # to pixels: that would make letters of straight lines bold
            letters.set_in_layout(False)  # they lie inside
            axes.add_collection(letters, autolim=False)
    under = [(places[k][1], places[k][0] + 0.46) for k in marked]
    if under:
        x, y = np.array(under).T
        axes.hlines(y, x - 0.5, x + 0.5, color=MARK, linewidth=0.7)
    axes.set(xlim=(-0.5, columns + 0.5), ylim=(rows - 0.45, -0.55))
    axes.axis("off")
    return picture


@cache
def outline(character: str) -> Path:
    """Return the outline of a character, 1 high as a font is, around the middle of its place."""
    shown = END if character == "\n" else character if has_glyph(character, FONT) else UNKNOWN
    path = TextPath((0, 0), shown, size=100, prop=FontProperties(family=[FONT]))
    return path.transformed(Affine2D().translate(-100 * WIDTH / 2, -100 * MIDDLE).scale(0.01))
