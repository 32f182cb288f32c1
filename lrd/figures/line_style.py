"""The line style of each cell: colour, marker, dashes; the same in every figure of every study.

Colours are those of Okabe & Ito (2008), which normal and colour-blind eyes distinguish, and further ones after Tol
(2021). A cell label has the same colour and marker in every figure of every study, as long as it is named in ``KNOWN``.
Labels that differ by a number alone (``bias -1``, ``bias 0``, ...) run from dark to light along one sequence, in grey
too; the others take what is left. All of this in natural order over the whole study.

In the style ``grey``, labels differ by marker, by level of grey and, where dashes mean nothing else, by dashes.
Where studies are compared, a label of the second keeps colour and marker, both hollow; of the third, with a black
core.

Networks of one cell have its colour: darker ones with other markers where a study has several (``lstm, 2 layers``). The
parts of a network have the colour of the whole, paler from layer to layer; one that reads backward is hollow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.patheffects import AbstractPathEffect
from matplotlib.transforms import Affine2D

from lrd.figures.drawing import current_drawing
from lrd.figures.labels import Label, PartLabel, base_of, family, in_order
from lrd.records.display_names import split_network

Dashes = Literal["-"] | tuple[float, tuple[float, ...]]

KNOWN = {  # warm: memory passes through W at every step; blue and green: gates keep it
    "rnn": ("#D55E00", "s"),  # vermilion
    "irnn": ("#F4A582", "D"),
    "nprnn": ("#B2182B", "v"),
    "orthogonal": ("#7F3B08", "P"),
    "clockwork": ("#E7298A", "X"),
    "lstm": ("#0072B2", "o"),  # blue
    "lstm1997": ("#80B1D3", "d"),
    "lstm_coupled": ("#053061", "H"),
    "lstm_peephole": ("#4393C3", "p"),
    "gru": ("#009E73", "^"),  # bluish green
    "attentive": ("#666666", "*"),
}
FREE = (
    ("#CC79A7", "D"),  # reddish purple
    ("#E69F00", "v"),  # orange
    ("#56B4E9", "P"),  # sky blue
    ("#000000", "X"),
    ("#882255", "<"),  # wine
    ("#999933", "*"),  # olive
    ("#332288", ">"),  # indigo
    ("#8C510A", "p"),  # brown
    ("#44AA99", "d"),  # teal
    ("#888888", "h"),
)
SEQUENCE, LIGHTEST = "viridis", 0.9  # beyond it is yellow, faint on white
GREYS = {  # level, place in DASHED
    "rnn": (0.5, 1),
    "irnn": (0.65, 2),
    "nprnn": (0.3, 3),
    "orthogonal": (0.15, 2),
    "clockwork": (0.6, 3),
    "lstm": (0.0, 0),
    "lstm1997": (0.68, 0),
    "lstm_coupled": (0.2, 3),
    "lstm_peephole": (0.45, 0),
    "gru": (0.35, 2),
    "attentive": (0.55, 2),
}
FREE_GREYS = (0.68, 0.25, 0.6, 0.1, 0.4, 0.65, 0.2, 0.55, 0.3, 0.45)
LIGHTEST_GREY = 0.7
DASHED: tuple[Dashes, ...] = ("-", (0, (4, 1.3)), (0, (1, 1.1)), (0, (5, 1.2, 1, 1.2)))
DARKER, DARKEST = 0.28, 0.6  # share of black in the colours of further networks of a cell
PALEST = 0.62  # share of white in the colour of the last layer
PALE, PALE_GREY = "white", "0.85"  # what colours are mixed with
CORES = ("", "white", "black")  # within the lines and markers of the first, second, ... study compared


class Core(AbstractPathEffect):
    """A path effect: a line with a core of another colour."""

    WIDER, CORE = 1.35, 0.6  # times the width of the line

    def __init__(self, colour: str) -> None:
        super().__init__()
        self.colour = colour

    def draw_path(self, renderer: Any, gc: Any, tpath: Any, affine: Any, rgbFace: Any = None) -> None:
        """Draw a path as matplotlib asks for it; what is filled, such as a marker, stays as it is."""
        if rgbFace is not None:
            renderer.draw_path(gc, tpath, affine, rgbFace)
            return
        for width, colour in ((self.WIDER, None), (self.CORE, self.colour)):
            stroke = renderer.new_gc()
            stroke.copy_properties(gc)
            stroke.set_linewidth(width * gc.get_linewidth())
            if colour is not None:
                stroke.set_foreground(colour)
            renderer.draw_path(stroke, tpath, affine, None)
            stroke.restore()


@dataclass(frozen=True)
class LineStyle:
    """How one cell label is drawn everywhere."""

    colour: str
    marker: str | Path
    core: str = ""
    dashes: Dashes = "-"  # for figures in which dashes mean nothing else

    @property
    def line(self) -> dict[str, Any]:
        """Options of a line of this label."""
        return {"color": self.colour} | ({"path_effects": [Core(self.core)]} if self.core else {})

    @property
    def points(self) -> dict[str, Any]:
        """Options of a line with markers."""
        return self.line | {"marker": self.marker}


class LineStyles(dict[str, LineStyle]):
    """The line style of each label of a study, and of each part of a network by its own label (``PartLabel``)."""

    def __missing__(self, label: str) -> LineStyle:
        if not isinstance(label, PartLabel):
            raise KeyError(label)
        return of_part(self[label.whole], label)


def of_part(style: LineStyle, part: PartLabel) -> LineStyle:
    """Return the line style of a part of a network, given that of the whole."""
    pale = PALE_GREY if current_drawing().options.style.grey else PALE
    share = PALEST * (part.layer - 1) / max(1, part.deepest - 1)
    core, marker = style.core, style.marker
    if part.is_backward and not core:
        assert isinstance(marker, str)
        core, marker = CORES[1], _hollow(marker, with_core=False)
    dashes = DASHED[(part.layer - 1) % len(DASHED)]
    return LineStyle(_mixed(style.colour, pale, share), marker, core, dashes)


def _mixed(colour: str, with_colour: str, share: float) -> str:
    if not share:
        return colour
    red, green, blue = (1 - share) * np.array(to_rgb(colour)) + share * np.array(to_rgb(with_colour))
    return to_hex((red, green, blue))


def line_styles(labels: Iterable[str]) -> LineStyles:
    """Return the line style of every label of a study, by label.

    Any two labels differ in colour or marker, for up to ``len(FREE)`` squared labels.

    Args:
        labels: All labels of the study, and not only those of one figure: so they are drawn alike in every figure.
    """
    names = in_order(labels)
    bases = _of_networks(in_order(base_of(name) for name in names))
    return LineStyles(
        {name: _of_study(bases[base_of(name)], name.rank) if isinstance(name, Label) else bases[name] for name in names}
    )


def _of_networks(names: list[str]) -> dict[str, LineStyle]:
    """Return the style of each label; those of one cell that differ in their networks share its colour."""
    cells: dict[str, list[str]] = {}
    for name in names:
        cells.setdefault(split_network(name)[0], []).append(name)
    styles = _plain(in_order(cells))
    return {name: _further(styles[cell], rank) for cell, own in cells.items() for rank, name in enumerate(own)}


def _further(style: LineStyle, rank: int) -> LineStyle:
    """Return the style of the first, second, ... network of a cell; the first has that of the cell."""
    if not rank:
        return style
    others = [marker for _, marker in FREE if marker != style.marker]
    dashes = DASHED[(DASHED.index(style.dashes) + rank) % len(DASHED)]
    colour = _mixed(style.colour, "black", min(DARKER * rank, DARKEST))
    return LineStyle(colour, others[(rank - 1) % len(others)], dashes=dashes)


def _plain(names: list[str]) -> dict[str, LineStyle]:
    grey = current_drawing().options.style.grey
    others = [name for name in names if name not in KNOWN]
    numbered = family(others)
    others = [name for name in others if name not in numbered]
    found = {}
    for name, (colour, marker) in KNOWN.items():
        level, place = GREYS[name]
        found[name] = _grey(level, marker, place) if grey else LineStyle(colour, marker)
    for place, name in enumerate(numbered):
        along = place / (len(numbered) - 1)
        colour = to_hex(matplotlib.colormaps[SEQUENCE](LIGHTEST * along))
        marker = _marker(place)
        found[name] = _grey(LIGHTEST_GREY * along, marker, place) if grey else LineStyle(colour, marker)
    for place, name in enumerate(others):  # in the second round of colours, markers are shifted by one
        marker = _marker(len(numbered) + place + place // len(FREE))
        at = place % len(FREE)
        found[name] = _grey(FREE_GREYS[at], marker, place + 2) if grey else LineStyle(FREE[at][0], marker)
    return {name: found[name] for name in names}


def _marker(place: int) -> str:
    return FREE[place % len(FREE)][1]


def _grey(level: float, marker: str, place: int) -> LineStyle:
    return LineStyle(to_hex(str(level)), marker, dashes=DASHED[place % len(DASHED)])


def _of_study(style: LineStyle, rank: int) -> LineStyle:
    """Return the style of a label in the first, second, ... study compared; from the fourth on with other markers."""
    assert isinstance(style.marker, str)
    markers = [marker for _, marker in FREE]
    at = markers.index(style.marker) if style.marker in markers else 0
    marker = style.marker if rank < len(CORES) else _marker(at + rank // len(CORES))
    core = CORES[rank % len(CORES)]
    return LineStyle(style.colour, _hollow(marker, core == "black") if core else marker, core, style.dashes)


@cache
def _hollow(marker: str, with_core: bool) -> Path:
    """Return a marker with a hole, or with a core in its hole; neither depends on the colour of its face."""
    style = MarkerStyle(marker)
    big = style.get_path().transformed(
        style.get_transform() + Affine2D().scale(100)
    )  # so that curves become fine polygons
    outline = [np.asarray(polygon) / 100 for polygon in big.to_polygons(closed_only=True)]
    parts = list(outline)
    parts += [0.55 * polygon[::-1] for polygon in outline]  # turning the other way round: a hole
    if with_core:
        parts += [0.3 * polygon for polygon in outline]
    return Path.make_compound_path(*(Path(polygon, closed=True) for polygon in parts))
