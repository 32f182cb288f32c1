"""One look for all figures of a two-column paper, and one way to save them.

Columns are 3.4 in and 7.0 in wide, text is 8 pt (7 pt for ticks and legends), colours are those of Okabe & Ito (2008),
told apart with normal and colour-blind sight, and further ones after Tol (2021); in grey the marker tells them apart. A
cell label has the same colour and marker in every figure of every study, as long as it is named in ``KNOWN``. Labels
that differ by a number alone (``bias -1``, ``bias 0``, ...) run from dark to light along one sequence, in grey too;
the others take what is left. All of this in natural order over the whole study.

Nothing of the clock or the machine goes into a file: the same records give the same bytes.
"""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib

matplotlib.use("Agg")  # figures are files; no window system is asked for

import matplotlib.pyplot as plt
import saving
from labels import family, in_order
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

SINGLE, DOUBLE = 3.4, 7.0  # width of one and of two columns, inches
SMALL = 6.5  # points: numbers written into panels
GREY = "0.45"

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

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "savefig.dpi": 200,
}


@dataclass(frozen=True)
class Look:
    """How one cell label is drawn everywhere."""

    colour: str
    marker: str


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """The look of every label of a study; give all labels of the study, not only those of one figure.

    Every two labels differ in colour or marker, for up to ``len(FREE)`` squared of them.
    """
    names = in_order(labels)
    others = [name for name in names if name not in KNOWN]
    numbered = family(others)
    others = [name for name in others if name not in numbered]
    found = {name: Look(*KNOWN[name]) for name in names if name in KNOWN}
    for place, name in enumerate(numbered):
        colour = matplotlib.colormaps[SEQUENCE](LIGHTEST * place / (len(numbered) - 1))
        found[name] = Look(to_hex(colour), _marker(place))
    for place, name in enumerate(others):  # in the second round of colours, markers are shifted by one
        found[name] = Look(FREE[place % len(FREE)][0], _marker(len(numbered) + place + place // len(FREE)))
    return {name: found[name] for name in names}


def _marker(place: int) -> str:
    return FREE[place % len(FREE)][1]


def paper(draw: Callable[P, T]) -> Callable[P, T]:
    """Give every figure that ``draw`` makes the settings of the paper, and leave the caller's settings alone.

    Its pages are saved at the same time; their files are there when it returns.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with plt.rc_context(SETTINGS), saving.together():  # type: ignore[arg-type]  # its stub wants literal keys
            return draw(*args, **kwargs)

    return drawn


def grid(rows: int, columns: int, panel_height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows x columns panels in the paper's style: one column wide for one panel a row, else two."""
    width = SINGLE if columns == 1 else DOUBLE
    figure, axes = plt.subplots(rows, columns, figsize=(width, panel_height * rows), squeeze=False, **options)
    return figure, [list(row) for row in axes]


def head(axes: Axes, title: str, note: str = "") -> None:
    """Name a panel at its upper left, with a small grey note at its upper right."""
    axes.set_title(title, loc="left", pad=3)
    if note:
        axes.set_title(note, loc="right", pad=3, fontsize=SMALL, color=GREY)


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """One legend over all panels, in as many columns as fit; the figure grows by its height."""
    entry = 0.5 + 0.055 * max(len(label.replace("\\partial", "")) for label in labels)  # inches, roughly
    columns = max(1, min(len(labels), int(figure.get_figwidth() / entry)))
    figure.set_figheight(figure.get_figheight() + 0.17 * -(-len(labels) // columns) + 0.08)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def foot(figure: Figure, lines: Sequence[str]) -> None:
    """Small grey lines under a figure, what was counted and what a band is; the figure grows by their height."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, int(figure.get_figwidth() * 20))]
    figure.set_figheight(figure.get_figheight() + 0.13 * len(wrapped) + 0.05)
    figure.supxlabel("\n".join(wrapped), fontsize=SMALL, color=GREY, x=0.01, ha="left")


def save(figure: Figure, out: Path, name: str, table: Sequence[Mapping[str, object]]) -> list[Path]:
    """Write name.pdf, name.png and name.csv (the numbers drawn, one mapping a row) to ``out``; close the figure."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    saving.save(partial(_save, figure, paths, table))
    plt.close(figure)
    return paths


def _save(figure: Figure, paths: Sequence[Path], table: Sequence[Mapping[str, object]]) -> None:
    labelled = {_column(axes) for axes in figure.axes if axes.get_ylabel()} - {None}
    # The other columns have nothing to align, and would be slow to find that out.
    figure.align_ylabels([axes for axes in figure.axes if _column(axes) in labelled])
    _lay_out(figure)
    figure.savefig(paths[0], metadata={"CreationDate": None})
    figure.savefig(paths[1])
    write_table(paths[2], table)


def _lay_out(figure: Figure) -> None:
    """Place the panels as the PDF needs them, once, for the PNG too: ``savefig`` would draw each once more for it."""
    screen, dots, engine = figure.canvas, figure.dpi, figure.get_layout_engine()
    if engine is not None:
        FigureCanvasPdf(figure)  # in the place of the canvas: text is measured with the PDF's metrics
        figure.dpi = 72
        engine.execute(figure)
        figure.dpi = dots
        figure.set_canvas(screen)
        figure.set_layout_engine("none")


def _column(axes: Axes) -> int | None:
    """The column of panels that an axes begins in; None for a colour bar."""
    place = axes.get_subplotspec()
    return None if place is None else place.colspan.start


def write_table(path: Path, table: Sequence[Mapping[str, object]]) -> Path:
    """Write rows of equal keys as a CSV; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table[0])
        writer.writerows([_text(value) for value in row.values()] for row in table)
    return path


def _text(value: object) -> str:
    """A cell of the CSV: 9 significant digits, empty for what was not measured, inf and -inf in words."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return "" if math.isnan(number) else f"{number:.9g}"
