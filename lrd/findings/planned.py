"""Hypotheses of a study that is to be trained: what is wrong with them is said before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrd.findings.ambiguous_names import names_instead
from lrd.findings.hypothesis import Hypothesis, HypothesisError
from lrd.findings.queries import OPTIONS, BrokenError, query_of_runs, query_of_table
from lrd.probes import PROBES
from lrd.records import RecordError, Study, schema
from lrd.records.display_names import is_network
from lrd.records.query import NoColumnError, query_columns
from lrd.records.run_rows import planned_row, read_row
from lrd.records.tables import view
from lrd.records.untrusted_sql import confined
from lrd.spec import RunSpec
from lrd.training.journal import task_facts

Row = dict[str, Any]
#: The columns of each table, with their SQL types.
Tables = Mapping[str, Mapping[str, str]]

#: Columns that are there only when something was trained: of a summary, and of metrics.
_LATER = re.compile(r"(summary|eval|test|train|grad)_\w+|\w+_(start|end)|omega|norm_stabilizer|lr")


def check_statements(
    hypotheses: Sequence[Hypothesis], runs: Sequence[RunSpec], folder: Path = Path(os.devnull)
) -> None:
    """Ask the runs that are to be trained what the hypotheses will ask of their records.

    A group without runs is no mistake: a part of a study may be trained alone.

    Args:
        hypotheses: of the study.
        runs: that are to be trained.
        folder: of the study, with the runs that it holds already. A condition that would be met by other runs once all
            lie there is a mistake: a name that several versions of a cell or task have is told apart.

    Raises:
        HypothesisError: conditions or numbers that no records of these runs could answer, a line for each hypothesis.
    """
    rows, tables = _rows(runs), _tables(runs)
    planned, together = _study(rows, tables), _together(rows, folder, tables)
    wrong = {}
    for hypothesis in hypotheses:
        message = _wrong(hypothesis, planned)
        if not message and together is not None:
            message = _told_apart(hypothesis, planned, together, folder)
        if message:
            wrong[hypothesis.name] = message
    if wrong:
        raise HypothesisError("\n".join(f"hypotheses.{name}: {message}" for name, message in wrong.items()))


def _wrong(hypothesis: Hypothesis, study: Study) -> str:
    """Return what is wrong with a hypothesis, asked of a study in which nothing is recorded yet; empty if nothing."""
    try:
        queries = [query_of_table(study, hypothesis)] if hypothesis.table else []
        queries += [query_of_runs(study, hypothesis, each) for each in (hypothesis.of, hypothesis.than) if each]
        for query in queries:
            try:
                query_columns(study, query)
            except NoColumnError as error:
                if error.column not in OPTIONS and not _LATER.fullmatch(error.column):
                    return str(error)
    except (BrokenError, RecordError) as error:
        # A column of which every run lacks a value, such as training_truncate, has lost its type; others may have it.
        return "" if str(error).startswith("Conversion Error") else str(error)
    return ""


def _told_apart(hypothesis: Hypothesis, planned: Study, together: Study, folder: Path) -> str:
    """Return which condition means other runs once all lie in the study's folder; empty if none does."""
    runs = set(planned.where("true"))
    for key in ("of", "than"):
        condition = getattr(hypothesis, key)
        with suppress(RecordError):  # as said before, or not to be answered before training
            if not condition or set(planned.where(condition)) == runs & set(together.where(condition)):
                continue
            if instead := names_instead(condition, together):
                return f"{key}: {condition} means other runs beside those in {folder}{instead}"
    return ""


def _rows(runs: Iterable[RunSpec]) -> list[Row]:
    facts = {run.run_id: (run.to_dict(), task_facts(run.task)) for run in runs}
    return [planned_row({"run_id": run_id, "spec": spec, "task": task}) for run_id, (spec, task) in facts.items()]


def _together(rows: Sequence[Row], folder: Path, tables: Tables) -> Study | None:
    """Return a study of these rows and of those in a folder; ``None`` where none of these could be told apart."""
    if not any(row.get("cell_code") or row.get("task_code") or is_network(row) for row in rows):
        return None  # a cell or task of lrd's is told apart from none
    kept: list[Row] = []
    for path in sorted(folder.glob(f"*/{schema.RUN}")):
        with suppress(RecordError):
            kept.append(read_row(path.parent))
    planned = {row["run_id"] for row in rows}
    return _study([*rows, *(row for row in kept if row["run_id"] not in planned)], tables)


def _tables(runs: Iterable[RunSpec]) -> Tables:
    """Return the columns of tables that lrd's probes, those of a researcher's own, and tests at other gaps fill."""
    own = {type(probe) for run in runs for probe in run.probes} - set(PROBES.values())
    of_probes = {name: columns for probe in (*own, *PROBES.values()) for name, columns in probe.tables().items()}
    return of_probes | schema.GENERALISATION_COLUMNS


def _study(rows: Sequence[Row], tables: Tables) -> Study:
    """Return a study of these rows and empty tables. It has no files, and nothing outside of it can be read."""
    study = Study(Path(os.devnull), rows, [], confined([]))
    for name, columns in tables.items():
        if name not in study.tables:
            study.connection.execute(view(name, [], {"update": schema.INTEGER, **columns}))
    return study
