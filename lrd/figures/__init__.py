"""What figure scripts share, for those of ``analysis/`` and for a researcher's own (``script_protocol``).

A script imports the names below; what fewer figures need is in the modules of this package.
"""

from lrd.figures.matplotlib_defaults import import_matplotlib

import_matplotlib()  # before any other module imports it

from lrd.figures.captions import drawn_over, in_words, lines_are, pooling, shortfall, span
from lrd.figures.command_line import main
from lrd.figures.drawn_figures import DrawnFigures, draw_all
from lrd.figures.errors import FigureOptionError, FigureScriptError, NothingToDrawError, NotMeasuredError
from lrd.figures.figure_files import save_figure, save_table
from lrd.figures.figure_options import FigureOptions
from lrd.figures.labels import PartLabel, in_order, natural, whole_of
from lrd.figures.line_style import LineStyle, line_styles
from lrd.figures.manifest import drawn_from
from lrd.figures.page import PAGE_COLUMNS, PAGE_ROWS, Page, in_files, pages
from lrd.figures.runs import runs_of
from lrd.figures.script_protocol import FigureScript
from lrd.figures.scripts import FIGURES
from lrd.figures.tables import Array, Table, finite, groups, join_runs, pivot, plain

__all__ = [
    "FIGURES",
    "PAGE_COLUMNS",
    "PAGE_ROWS",
    "Array",
    "DrawnFigures",
    "FigureOptionError",
    "FigureOptions",
    "FigureScript",
    "FigureScriptError",
    "LineStyle",
    "NotMeasuredError",
    "NothingToDrawError",
    "Page",
    "PartLabel",
    "Table",
    "draw_all",
    "drawn_from",
    "drawn_over",
    "finite",
    "groups",
    "in_files",
    "in_order",
    "in_words",
    "join_runs",
    "line_styles",
    "lines_are",
    "main",
    "natural",
    "pages",
    "pivot",
    "plain",
    "pooling",
    "runs_of",
    "save_figure",
    "save_table",
    "shortfall",
    "span",
    "whole_of",
]
