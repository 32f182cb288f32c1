"""The page on paper: the same HTML as a PDF, by weasyprint."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from lrd.records import write_atomic

NO_PANGO = (
    "the library Pango is missing, which only the system can install: apt-get install libpango-1.0-0 "
    "libpangoft2-1.0-0 (macOS: brew install pango), or leave the PDF out with --no-pdf"
)
_TIME = "SOURCE_DATE_EPOCH"


class PdfError(RuntimeError):
    """There can be no PDF on this machine; one line with the way out."""


def has_pango() -> bool:
    """Return whether weasyprint, which must be installed, finds the system's Pango."""
    with _whatever_the_system_has():
        try:
            import weasyprint  # noqa: F401
        except OSError:  # its own import opens Pango
            return False
    return True


def write_pdf(html: str, path: Path) -> None:
    """Write a page as a tagged PDF (PDF/UA-1); nothing is fetched but what it holds itself.

    Raises:
        PdfError: a library of the system is missing.
        RecordError: the system refuses to write the file.
    """
    with _whatever_the_system_has():
        try:
            import weasyprint
        except OSError:  # its own import opens Pango
            raise PdfError(f"{path.name} was not written: {NO_PANGO}") from None
        page = weasyprint.HTML(string=html, url_fetcher=weasyprint.URLFetcher(allowed_protocols={"data"}))
        options = {
            "pdf_variant": "pdf/ua-1",
            "pdf_identifier": b"lrd",  # it would be drawn at random
            "presentational_hints": True,  # the width of pictures
        }
        write_atomic(path, lambda temporary: page.write_pdf(temporary, **options))


@contextlib.contextmanager
def _whatever_the_system_has() -> Iterator[None]:
    """Make the PDF with the system's libraries as they are: quietly, and the same bytes from the same page.

    Weasyprint prints and warns of libraries that it misses; without HarfBuzz it has fontTools make the PDF's fonts,
    which writes the time into them, unless this variable says another.
    """
    before = os.environ.get(_TIME)
    os.environ.setdefault(_TIME, "0")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ[_TIME]
