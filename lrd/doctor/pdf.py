"""Reports: whether a study can be written up as a page, and as a PDF."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator

from lrd.doctor.finding import Finding
from lrd.extras import missing
from lrd.report.pdf import NO_PANGO, has_pango


def findings() -> Iterator[Finding]:
    """Yield whether the packages and the system's libraries are there."""
    if line := missing("lrd report", "report", ("weasyprint",)):
        what, _, way_out = line.partition(": ")
        yield Finding("report", "page", "note", what, way_out, {"works": False})
    else:
        yield Finding("report", "page", "ok", "lrd report can write pages", facts={"works": True})
    facts = {"weasyprint": not missing("lrd report", "report", ("jinja2",)), "pango": None, "harfbuzz": None}
    if not facts["weasyprint"]:
        what, _, way_out = missing("a PDF", "report", ("jinja2",)).partition(": ")
        yield Finding("report", "pdf", "note", what, f"{way_out}, or lrd report --no-pdf", facts)
        return
    facts |= {"pango": has_pango(), "harfbuzz": ctypes.util.find_library("harfbuzz-subset") is not None}
    if not facts["pango"]:
        what, _, way_out = NO_PANGO.partition(": ")
        yield Finding("report", "pdf", "note", what, way_out, facts)
        return
    fonts = "" if facts["harfbuzz"] else "; its fonts are cut by fontTools, since libharfbuzz-subset is missing"
    yield Finding("report", "pdf", "ok", f"lrd report can write PDFs{fonts}", facts=facts)
