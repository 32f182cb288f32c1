"""The PDF: tagged, the same again, made of the page alone; one line where Pango is missing."""

from __future__ import annotations

import logging
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from synthetic import MadeStudy

from lrd.figures import DrawnFigures
from lrd.records import open_study
from lrd.report import PdfError, page, write_pdf

#: What weasyprint does on a system whose libraries do not suit it, at its import and when it writes.
COMPLAINS = """
import warnings
print("WeasyPrint could not import some external libraries.")
warnings.warn("HarfBuzz-subset is missing", DeprecationWarning)
class URLFetcher:
    def __init__(self, **options): pass
class HTML:
    def __init__(self, **options): pass
    def write_pdf(self, path, **options):
        warnings.warn("No fonts configured in FontConfig. Expect ugly output.")
        path.write_bytes(b"%PDF")
"""


@pytest.fixture(scope="module")
def _pango(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        write_pdf("<p>x", tmp_path_factory.mktemp("pango") / "x.pdf")
    except PdfError:
        pytest.skip("no Pango here; .ci/browser installs it")


def unpacked(content: bytes) -> Iterator[bytes]:
    """The streams of a PDF that are packed by deflate alone."""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        with suppress(zlib.error):
            yield zlib.decompress(stream)


@pytest.mark.usefixtures("_pango")
def test_a_page_on_paper(made: MadeStudy, drawn: DrawnFigures, tmp_path: Path) -> None:
    html = page(open_study(made.folder), drawn)
    for name in ("one.pdf", "two.pdf"):
        write_pdf(html, tmp_path / name)
    content = (tmp_path / "one.pdf").read_bytes()
    assert content == (tmp_path / "two.pdf").read_bytes()
    assert content.startswith(b"%PDF-1.7")
    content += b"".join(unpacked(content))
    assert b"/MarkInfo" in content  # tagged
    assert b"/Lang" in content
    assert len(re.findall(rb"/Subtype ?/Image", content)) == 3
    assert b"/URI" not in content  # no link leads out of it


@pytest.mark.usefixtures("_pango")
def test_nothing_is_fetched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    with caplog.at_level(logging.ERROR, logger="weasyprint"):
        write_pdf(f'<img src="{secret.as_uri()}"><img src="http://127.0.0.1:9/x.png">', tmp_path / "x.pdf")
    assert sum("disallowed protocol" in record.getMessage() for record in caplog.records) == 2


def test_what_the_systems_libraries_lack_is_no_error_and_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weasyprint.py").write_text(COMPLAINS)
    _forget_weasyprint(monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_pdf("<p>x", tmp_path / "report.pdf")
    _forget_weasyprint(monkeypatch)
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF"
    assert capfd.readouterr() == ("", "")


def test_without_pango_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    _forget_weasyprint(monkeypatch)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(PdfError, match=r"report\.pdf was not written: .*Pango.*apt-get install.*--no-pdf") as caught:
        write_pdf("<p>x", tmp_path / "report.pdf")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def _forget_weasyprint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
