"""The report as HTML: gathers its parts and hands them to the template beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lrd import __version__
from lrd.records import Study
from lrd.report.configuration import configuration
from lrd.report.costs import costs
from lrd.report.figures import Drawn, figures, undrawn
from lrd.report.machines import environments, machines
from lrd.report.question import question
from lrd.report.results import headline, results
from lrd.report.shortfall import shortfall


def page(study: Study, drawn: Drawn, findings: Sequence[Any] = (), condition: str | None = None) -> str:
    """The page of a study: HTML with everything in it, of which nothing runs and nothing is fetched.

    ``drawn``: its figures; ``findings``: of the claims of the study; ``condition``: which of its runs it was opened
    for, in SQL. What is wrong with the records stands on the page; they have only to be open.
    """
    name = study.path.resolve().name
    made = environments(study)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
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
        results=results(study),
        figures=figures(drawn),
        undrawn=undrawn(drawn),
        configuration=configuration(study),
        machines=machines(made),
        costs=costs(study, made),
        shortfall=shortfall(study),  # last: only now is it known what could not be read
        version=__version__,
    )
