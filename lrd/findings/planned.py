"""Claims of a study that is not trained yet: what is wrong with them is said before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from lrd.findings.claim import Claim, ClaimError
from lrd.findings.groups import OPTIONS, BrokenError, check_table, query_of_runs, query_of_table
from lrd.probes import PROBES
from lrd.records import RecordError, Study
from lrd.records.query import NoColumnError, query_columns
from lrd.records.run_rows import planned_row
from lrd.records.schema import INTEGER
from lrd.records.tables import view
from lrd.records.untrusted_sql import confined
from lrd.spec import RunSpec
from lrd.training.journal import task_facts

#: Columns that are there only when something was trained: of a summary, and of metrics.
_LATER = re.compile(r"(summary|eval|test|train|grad)_\w+|\w+_(start|end)|omega")


def check_statements(claims: Sequence[Claim], runs: Sequence[RunSpec]) -> None:
    """Ask the runs that are to be trained what the claims will ask of their records.

    A group without runs is no mistake: a part of a study may be trained alone.

    Raises:
        ClaimError: conditions or numbers that no records of these runs could answer, a line for each claim.
    """
    study = _planned(runs)
    wrong = {claim.name: message for claim in claims if (message := _wrong(claim, study))}
    if wrong:
        raise ClaimError("\n".join(f"claims.{name}: {message}" for name, message in wrong.items()))


def _wrong(claim: Claim, study: Study) -> str:
    try:
        check_table(claim)
        queries = [query_of_runs(study, claim, condition) for condition in (claim.of, claim.than) if condition]
        for query in [*queries, query_of_table(study, claim)] if claim.table else queries:
            try:
                query_columns(study, query)
            except NoColumnError as error:
                if error.column not in OPTIONS and not _LATER.fullmatch(error.column):
                    return str(error)
    except (BrokenError, RecordError) as error:
        # A column of which every run lacks a value, such as cell_label, has lost its type; others may have it.
        return "" if str(error).startswith("Conversion Error") else str(error)
    return ""


def _planned(runs: Sequence[RunSpec]) -> Study:
    """A study of these runs of which nothing is recorded yet, with all tables, empty."""
    facts = {run.run_id: (run.to_dict(), task_facts(run.task)) for run in runs}
    rows = [planned_row({"run_id": run_id, "spec": spec, "task": task}) for run_id, (spec, task) in facts.items()]
    study = Study(Path(os.devnull), rows, [], confined([]))  # nothing lies there, and nothing else can be read
    for probe in PROBES.values():
        for name, columns in probe.tables().items():
            if name not in study.tables:
                study.connection.execute(view(name, [], {"update": INTEGER} | columns))
    return study
