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

from lrd.records import open_study
from lrd.report import Drawn, PdfError, page, write_pdf


@pytest.fixture(scope="module")
def _pango() -> None:
    try:
        import weasyprint  # noqa: F401
    except OSError:
        pytest.skip("no Pango here; .ci/browser installs it")


def unpacked(content: bytes) -> Iterator[bytes]:
    """The streams of a PDF that are packed by deflate alone."""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        with suppress(zlib.error):
            yield zlib.decompress(stream)


@pytest.mark.usefixtures("_pango")
def test_a_page_on_paper(made: MadeStudy, drawn: Drawn, tmp_path: Path) -> None:
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


def test_without_pango_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(PdfError, match=r"report\.pdf was not written: .*Pango.*apt-get install.*--no-pdf") as caught:
        write_pdf("<p>x", tmp_path / "report.pdf")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
