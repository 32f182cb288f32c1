"""A study as one page that stands by itself: verdicts, results, figures, configuration, costs, and what is missing.

Everything on it comes from the records (and, word for word, from the study's file and the docstrings of the figure
scripts). No clock and no path of the machine it is made on: the same records give the same bytes.
"""

from lrd.report.figures import Drawn
from lrd.report.page import page
from lrd.report.pdf import PdfError, write_pdf

__all__ = ["Drawn", "PdfError", "page", "write_pdf"]
