"""A figure as PDF and PNG: laid out once, for both."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure


def write(figure: Figure, pdf: Path, png: Path) -> None:
    """Write both files; nothing of the clock goes into them. The figure keeps its layout from here on."""
    labelled = {_column(axes) for axes in figure.axes if axes.get_ylabel()} - {None}
    # The other columns have nothing to align, and would be slow to find that out.
    figure.align_ylabels([axes for axes in figure.axes if _column(axes) in labelled])
    _lay_out(figure)
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):  # no new one in the place of the old
        figure.set_layout_engine(None)
        figure.savefig(pdf, metadata={"CreationDate": None})
        figure.savefig(png)


def _lay_out(figure: Figure) -> None:
    """Place the panels as the PDF needs them: ``savefig`` would draw each file once more to do so."""
    screen, dots, engine = figure.canvas, figure.dpi, figure.get_layout_engine()
    if engine is not None:
        FigureCanvasPdf(figure)  # in the place of the canvas: text is measured with the PDF's metrics
        figure.dpi = 72
        engine.execute(figure)
        figure.dpi = dots
        figure.set_canvas(screen)


def _column(axes: Axes) -> int | None:
    """The column of panels that an axes begins in; None for a colour bar."""
    place = axes.get_subplotspec()
    return None if place is None else place.colspan.start
