"""Reports: whether a study can be written up as a page, and as a PDF."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator, Mapping
from pathlib import Path

from lrd.doctor.finding import Finding
from lrd.extras import missing


def findings(runs: Path) -> Iterator[Finding]:
    """Yield whether the packages and the system's libraries are there."""
    page, pdf = (missing("lrd report", "report", but) for but in (("weasyprint",), ("jinja2",)))
    if page:
        yield _note("page", page, {"works": False})
    else:
        yield Finding("report", "page", "ok", "lrd report can write pages", facts={"works": True})
    facts = {"weasyprint": not pdf, "pango": None, "harfbuzz": None}
    if page or pdf:
        yield _note("pdf", pdf or page, facts)
        return
    from lrd.report.pdf import NO_PANGO, has_pango

    facts |= {"pango": has_pango(), "harfbuzz": ctypes.util.find_library("harfbuzz-subset") is not None}
    if not facts["pango"]:
        yield _note("pdf", NO_PANGO, facts)
        return
    fonts = "" if facts["harfbuzz"] else "; its fonts are cut by fontTools, since libharfbuzz-subset is missing"
    yield Finding("report", "pdf", "ok", f"lrd report can write PDFs{fonts}", facts=facts)


def _note(name: str, line: str, facts: Mapping[str, bool | None]) -> Finding:
    """Return a finding from a line that says what is missing and, after a colon, the way out."""
    what, _, way_out = line.partition(": ")
    return Finding("report", name, "note", what, way_out, facts)
