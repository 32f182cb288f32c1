"""A figure as PDF and PNG, laid out once for both.

They are made in memory and written at once: libraries that are interrupted by a full disk may crash on what they left.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image

from lrd.figures.label_columns import align, have_moved
from lrd.records.files import write_bytes

COMPRESSION = 3  # of PNGs, of 9


def write(figure: Figure, pdf: Path, png: Path) -> None:
    """Write a figure to two files; nothing of the clock goes into them. The figure keeps its layout from here on."""
    _lay_out(figure)
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):  # no new one in the place of the old
        figure.set_layout_engine(None)
        with BytesIO() as file:
            figure.savefig(file, format="pdf", metadata={"CreationDate": None})
            write_bytes(pdf, file.getvalue())
        _write_png(figure, png)


def _write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without a channel for transparency if nothing in it is transparent."""
    with BytesIO() as file, BytesIO() as png:
        figure.savefig(file, format="tiff")  # neither compressed nor with losses
        with Image.open(file) as image:
            opaque = image.getchannel("A").getextrema() == (255, 255)
            made = image.convert("RGB") if opaque else image
            made.save(png, "PNG", compress_level=COMPRESSION, dpi=image.info["dpi"])
        write_bytes(path, png.getvalue())


def _lay_out(figure: Figure) -> None:
    """Place the panels by the metrics of a PDF, once: ``savefig`` would draw each file once more to do so."""
    screen, dots, engine = figure.canvas, figure.dpi, figure.get_layout_engine()
    if engine is not None:
        FigureCanvasPdf(figure)  # in the place of the canvas: text is measured with the PDF's metrics
        figure.dpi = 72
        before = align(figure)
        engine.execute(figure)
        if have_moved(before, align(figure)):  # panels of another size may have other ticks
            engine.execute(figure)
            align(figure)
        figure.dpi = dots
        figure.set_canvas(screen)
