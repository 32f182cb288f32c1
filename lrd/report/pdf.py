"""The page on paper: the same HTML as a PDF, by weasyprint."""

from __future__ import annotations

from pathlib import Path

from lrd.records import write_atomic

NO_PANGO = (
    "the library Pango is missing, which only the system can install: apt-get install libpango-1.0-0 "
    "libpangoft2-1.0-0 (macOS: brew install pango), or leave the PDF out with --no-pdf"
)


class PdfError(RuntimeError):
    """There can be no PDF on this machine; one line with the way out."""


def write_pdf(html: str, path: Path) -> None:
    """Write a page as a tagged PDF (PDF/UA-1); nothing is fetched but what it holds itself.

    Raises:
        PdfError: a library of the system is missing.
        RecordError: the system refuses to write the file.
    """
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
