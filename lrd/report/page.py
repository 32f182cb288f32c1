"""The report as HTML: gathers its parts and hands them to the template beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lrd import __version__
from lrd.figures import DrawnFigures
from lrd.findings import FAILS, HOLDS, UNDECIDED, Finding, Paper, paper_verdict
from lrd.records import Study, without_home
from lrd.report.configuration import configuration
from lrd.report.costs import costs
from lrd.report.figures import figures, undrawn
from lrd.report.machines import environments, machines
from lrd.report.question import question
from lrd.report.results import headline, results
from lrd.report.shortfall import shortfall


def page(
    study: Study,
    drawn: DrawnFigures,
    findings: Sequence[Finding] = (),
    unreadable: str = "",
    condition: str | None = None,
    paper: Paper | None = None,
) -> str:
    """Return the page of a study as HTML with everything in it, of which nothing runs and nothing is fetched.

    What is wrong with the records stands on the page.

    Args:
        study: as opened, all of it or some of its runs.
        drawn: its figures.
        findings: on its hypotheses, in their order.
        unreadable: why there are none, where its hypotheses cannot be read.
        condition: the SQL condition with which it was opened.
        paper: the published result that it re-runs, if it re-runs one.
    """
    name = study.path.resolve().name
    made = environments(study)
    reasons, unasked = undrawn(drawn)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_without_home,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html.jinja").render(
        name=name,
        question=question(name),
        condition=condition,
        headline=headline(study),
        findings=findings,
        tally=_tally(findings),
        unreadable=unreadable,
        paper=paper,
        paper_verdict=paper_verdict(findings),
        results=results(study),
        figures=figures(drawn),
        failed=drawn.failed,
        undrawn=reasons,
        unasked=unasked,
        configuration=configuration(study),
        machines=machines(made),
        costs=costs(study, made),
        shortfall=shortfall(study, made),  # last: only now is it known what could not be read
        version=__version__,
    )


def _without_home(value: Any) -> Any:
    """Return a value of the template with ``~`` in the place of home folders; pictures stay as they are."""
    return without_home(value) if type(value) is str and not value.startswith("data:") else value


def _tally(findings: Sequence[Finding]) -> str:
    """Return how many hypotheses hold, fail and are undecided: ``3 hypotheses: 2 hold, 1 undecided.``."""
    counts = [sum(finding.verdict == verdict for finding in findings) for verdict in (HOLDS, FAILS, UNDECIDED)]
    words = ("holds" if counts[0] == 1 else "hold", "fails" if counts[1] == 1 else "fail", "undecided")
    said = ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True) if count)
    return f"{len(findings)} hypothes{'is' if len(findings) == 1 else 'es'}: {said}."
