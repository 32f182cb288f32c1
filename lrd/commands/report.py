"""``lrd report``: a study as one HTML page and its PDF."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lrd.commands import add_filter, fail, study_parser


def run(arguments: list[str]) -> int:
    """Write the report of a study from its records, with its figures beside it.

    Returns:
        The exit status: 1 where a figure or the PDF could not be made, 2 where study, file or hypotheses are wrong.
    """
    parser = study_parser("report")
    parser.add_argument("--out", type=Path, help="folder for the files (default: report/ inside the study)")
    add_filter(parser)
    parser.add_argument(
        "--hypotheses", metavar="FILE", type=Path, help="YAML file of hypotheses (default: those that the study keeps)"
    )
    parser.add_argument("--claims", dest="hypotheses", type=Path, help=argparse.SUPPRESS)  # its former name
    parser.add_argument("--no-pdf", action="store_true", help="the HTML page alone")
    given = parser.parse_args(arguments)

    from lrd.extras import missing

    if line := missing("lrd report", "report", ("weasyprint",) if given.no_pdf else ()):
        return fail(line)

    from lrd.figures import FigureOptionError, draw_all
    from lrd.figures.figure_options import check_out, study_on_paper
    from lrd.findings import HypothesisError
    from lrd.records import RecordError
    from lrd.records.files import write_bytes
    from lrd.report import PdfError, page, write_pdf

    try:
        check_out(given.out)
        study, options = study_on_paper(given.study, given.filter, ("lrd", "report"))
        findings, paper, unreadable = _findings(given.hypotheses, study)
        out = given.out or given.study / "report"
        out.mkdir(parents=True, exist_ok=True)  # before the figures, which take the time
        drawn = draw_all(study, out / "figures", options)
        for name, reason in drawn.failed.items():
            print(f"lrd: failed: {name}: {reason}", file=sys.stderr)
        html = page(study, drawn, findings, unreadable, given.filter, paper)
        write_bytes(out / "report.html", html.encode(errors="replace"))
        print(out / "report.html")
        if not given.no_pdf:
            write_pdf(html, out / "report.pdf")
            print(out / "report.pdf")
    except PdfError as error:
        print(f"lrd: {error}", file=sys.stderr)
        return 1
    except (FigureOptionError, HypothesisError, RecordError, OSError) as error:
        return fail(str(error))
    return 1 if drawn.failed else 0


def _findings(file: Path | None, study: Any) -> tuple[list[Any], Any, str]:
    """Return the findings on the hypotheses, the published result (or None), and why the study's own cannot be read.

    A report can do without them.
    """
    from lrd.findings import HypothesisError, check_hypotheses, read_hypotheses, read_paper

    source = file or study.path
    try:
        return check_hypotheses(read_hypotheses(source), study), read_paper(source), ""
    except HypothesisError as error:
        if file is not None:
            raise
        print(f"lrd: left out: {error}", file=sys.stderr)
        return [], None, str(error).replace(f"{study.path}/", "")
