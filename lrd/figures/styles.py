"""Styles and widths that figures can be asked for in: ``paper``, ``talk``, ``grey`` or a matplotlib style file.

All begin with the settings of the paper: text of 8 pt (7 pt for ticks and legends), for columns 3.4 in and 7.0 in wide.
A larger font size, of ``talk`` or of a style file, takes the other text with it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures.errors import FigureOptionError
from lrd.one_line import one_line

SINGLE, DOUBLE = 3.4, 7.0  # width of one and of two columns, inches
WIDTHS = {"single": SINGLE, "double": DOUBLE}
NARROWEST, WIDEST = 2.5, 14.0  # inches: below, no axis is legible; a slide is 13.3 wide
FONT = 8.0  # points
FONTS = 4, 40  # of a style file: nothing else is legible, or fits

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": FONT,
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
    "savefig.dpi": 200,
}
SIZES = ("axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
#: What no style file changes: journals refuse Type 3 fonts and fonts that are not embedded, widths are promised, and
#: TeX is not on every machine.
KEPT: dict[str, Any] = {
    "pdf.fonttype": 42,  # TrueType
    "ps.fonttype": 42,  # matplotlib asks this, too, how to encode the text of a PDF
    "pdf.use14corefonts": False,
    "text.usetex": False,
    "savefig.bbox": None,
    "figure.autolayout": False,
    "figure.constrained_layout.use": True,
}
TALK = 1.5  # times the size of text, lines and marks


@dataclass(frozen=True)
class Style:
    """A style of figures: settings of matplotlib, how much thicker lines are than in a paper, and whether in grey."""

    name: str
    settings: Mapping[str, Any]
    strokes: float = 1.0
    grey: bool = False
    sha256: str | None = None  # of the style file


def _over_paper(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paper's settings with changes; a change of the font size changes the size of all text."""
    scale = float(changes.get("font.size", FONT)) / FONT
    sizes = {name: scale * SETTINGS[name] for name in SIZES}
    return SETTINGS | sizes | dict(changes) | KEPT


PAPER = Style("paper", _over_paper({}))
STYLES = {
    "paper": PAPER,
    "talk": Style("talk", _over_paper({"font.size": TALK * FONT}), strokes=TALK),
    "grey": Style("grey", _over_paper({}), grey=True),
}


def style_of(text: str) -> Style:
    """Return a style by its name, or that of a matplotlib style file, laid over ``paper``.

    Raises:
        FigureOptionError: There is no such name or file, or matplotlib does not understand the file.
    """
    if text in STYLES:
        return STYLES[text]
    path = Path(text)
    if not path.is_file():
        raise FigureOptionError(f"no style {text!r}: give {', '.join(STYLES)} or the path of a matplotlib style file")
    try:
        return Style(path.name, _over_paper(_in_file(path)), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    except (OSError, ValueError, TypeError, KeyError) as error:  # also wrong UTF-8
        raise FigureOptionError(f"cannot use the style file {text}: {one_line(error)}") from error


def _in_file(path: Path) -> dict[str, Any]:
    """Return the settings of a style file; raise ValueError for what matplotlib would only warn of."""
    import matplotlib

    complaints: list[str] = []

    class Complaints(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(record.getMessage())

    logger, handler = logging.getLogger("matplotlib"), Complaints()
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    try:
        read: Any = matplotlib.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
        found = dict(read.items())
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
    if complaints:
        raise ValueError(complaints[0])
    if "backend" in found:
        raise ValueError("it chooses a backend; figures are files")
    if not FONTS[0] <= found.get("font.size", FONT) <= FONTS[1]:
        raise ValueError(f"font.size must be {FONTS[0]} to {FONTS[1]} points, got {found['font.size']:g}")
    return found


def width_of(text: str | None) -> float | None:
    """Return a width in inches, given by name or as a number; None, the default, for None.

    Raises:
        FigureOptionError: It is no width, or one in which nothing is legible.
    """
    if text is None or text in WIDTHS:
        return None if text is None else WIDTHS[text]
    try:
        width = float(text)
    except ValueError:
        width = float("nan")
    if not NARROWEST <= width <= WIDEST:
        names = ", ".join(f"{name} ({inches} in)" for name, inches in WIDTHS.items())
        raise FigureOptionError(f"no width {text!r}: give {names}, or {NARROWEST:g} to {WIDEST:g} inches as a number")
    return width


def width_in_words(width: float) -> str:
    """Return the shortest spelling of a width that ``width_of`` reads."""
    return next((name for name, inches in WIDTHS.items() if inches == width), f"{width:g}")
