"""``lrd report``: a study as one HTML page and its PDF."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Write the report of a study from its records."""
    parser = study_parser("report")
    parser.add_argument("--out", type=Path, help="folder for the files (default: report/ inside the study)")
    parser.add_argument("--filter", help="of which runs, in SQL: \"cell = 'lstm' and gap >= 50\"")
    parser.add_argument("--claims", type=Path, help="YAML file of claims (default: those that the study keeps)")
    parser.add_argument("--no-pdf", action="store_true", help="the HTML page alone")
    given = parser.parse_args(arguments)

    from lrd.extras import missing

    if line := missing("lrd report", "report", ("weasyprint",) if given.no_pdf else ()):
        return fail(line)

    from lrd.findings import ClaimError
    from lrd.paths import analysis_module
    from lrd.records import RecordError
    from lrd.records.files import write_bytes
    from lrd.report import Drawn, PdfError, page, write_pdf

    try:
        asked = analysis_module("asked")
        study, how = asked.of_study(given.study, given.filter, ("lrd", "report"))
        findings, unreadable = _findings(given.claims, study)
        out = given.out or given.study / "report"
        out.mkdir(parents=True, exist_ok=True)  # before the figures, which take the time
        scripts = analysis_module("common")
        all_of_them = scripts.draw_all(study, out / "figures", how)
        for line in all_of_them.failed:
            print(f"lrd: failed: {line}", file=sys.stderr)
        drawn = Drawn(all_of_them.paths, all_of_them.missing, scripts.figure_scripts(), all_of_them.failed)
        html = page(study, drawn, findings, unreadable, given.filter)
        write_bytes(out / "report.html", html.encode(errors="replace"))
        print(out / "report.html")
        if not given.no_pdf:
            write_pdf(html, out / "report.pdf")
            print(out / "report.pdf")
    except PdfError as error:
        print(f"lrd: {error}", file=sys.stderr)
        return 1
    except (ClaimError, RecordError, OSError) as error:
        return fail(str(error))
    return 1 if drawn.failed else 0


def _findings(file: Path | None, study: Any) -> tuple[list[Any], str]:
    """What the records say of the claims; and why the study's own cannot be read, which a report can do without."""
    from lrd.findings import ClaimError, check_claims, read_claims

    try:
        return check_claims(read_claims(file or study.path), study), ""
    except ClaimError as error:
        if file is not None:
            raise
        print(f"lrd: left out: {error}", file=sys.stderr)
        return [], str(error).replace(f"{study.path}/", "")
