"""A study as one page that stands by itself: verdicts, results, figures, configuration, costs, and what is missing.

Everything on it comes from the records, from the study's file and from the docstrings of the figure scripts. It has no
clock and no path of the machine that it is made on: the same records give the same bytes.
"""

from lrd.report.page import page
from lrd.report.pdf import PdfError, write_pdf

__all__ = ["PdfError", "page", "write_pdf"]
