"""What a hypothesis asks of the tables of a study, as SQL, and why there may be no answer."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from lrd.findings.hypothesis import Hypothesis
from lrd.options import not_a_choice
from lrd.probes import PROBES
from lrd.records import Study
from lrd.records.files import RecordError
from lrd.records.query import NoColumnError, query_columns
from lrd.spec import OPTIMIZERS, kinds_of

#: The probe that fills each table.
TABLES = {table: name for name, probe in PROBES.items() for table in probe.tables()}

#: How to fill the tables that no probe fills, where a study has no rows of them.
NOT_OF_PROBES = dict.fromkeys(
    ("generalisation", "generalisation_flow", "generalisation_fit"),
    "no run was tested at other gaps: train a study with evaluation.gaps (and evaluation.gradient_flow=true)",
)

#: Columns of ``runs`` that are there only where some cell, task or optimiser has the option.
OPTIONS = frozenset(
    f"{group}_{field.name}"
    for group, kinds in (("cell", kinds_of("cell")), ("task", kinds_of("task")), ("optimizer", OPTIMIZERS))
    for kind in kinds.values()
    for field in fields(kind)
)

#: Columns of ``runs`` by which runs of two groups are paired where a hypothesis names none.
BY_TASK = ("task", "convention", "gap", "seed")

_TABLES = {"metrics", *TABLES, *NOT_OF_PROBES}
_OUTCOME = ("run_id", "state", "outcome", "solved", "update", "solved_at", "max_updates")
_MOMENTS = {"start": '"update" = 0', "end": '"update" > 0 and "update" = ended', "all": "true"}


class NotYetError(Exception):
    """The records have no answer yet: nothing was measured, or no run is finished. The message says the way out."""


class BrokenError(Exception):
    """The statement can be asked of no records like these; the message says what is wrong with it."""


def query_of_runs(study: Study, hypothesis: Hypothesis, condition: str) -> str:
    """Return SQL for the runs that meet a condition of a hypothesis.

    It gives a row for each run, in the order of run ids. Its columns are what became of the run (``_run_id``,
    ``_state``, ``_outcome``, ...); ``_by0``, ``_by1``, ..., the values of the columns by which runs are paired
    (``by``); and the numbers ``_value`` and ``_against``.

    Raises:
        BrokenError: condition or numbers are more than expressions over the tables of a study.
    """
    columns = [f'"{name}" as _{name}' for name in _OUTCOME]
    columns += [f'"{name}" as _by{place}' for place, name in enumerate(by(hypothesis))]
    number = "0" if hypothesis.table else hypothesis.number or "solved"
    value, against = _checked(study, number), _checked(study, hypothesis.against or "0")
    columns += [f"cast({value} as double) as _value", f"cast({against} as double) as _against"]
    return f"select {', '.join(columns)} from runs where {_checked(study, condition)} order by _run_id"


def query_of_table(study: Study, hypothesis: Hypothesis) -> str:
    """Return SQL for the number ``_value`` that a hypothesis takes from the rows of each run in a probe's table.

    Of a network of several parts the rows are those of the last layer, forward, unless number or rows say of which.

    Raises:
        BrokenError: nothing fills the table, or number or rows are more than expressions over the tables of a study.
    """
    _check_table(study, hypothesis)
    source = hypothesis.table
    if _has_parts(study, source) and not re.search(r"\b(layer|direction)\b", f"{hypothesis.number} {hypothesis.rows}"):
        source = f"""(
            from {source} where direction = 'forward' qualify layer = max(layer) over (partition by run_id)
        )"""
    return f"""
        select run_id as _run_id, cast({_checked(study, hypothesis.number)} as double) as _value from (
            select measured.*, ended from {source} as measured
            join (select run_id, case when state = 'finished' then "update" end as ended from runs) using (run_id)
        ) where {_MOMENTS[hypothesis.at]} and {_checked(study, hypothesis.rows or "true")} group by all order by all
    """


def _has_parts(study: Study, table: str) -> bool:
    """Return whether the rows of a table say of which part of a network they are."""
    if table in TABLES:
        return {"layer", "direction"} <= PROBES[TABLES[table]].tables()[table].keys()
    return table in study.tables and {"layer", "direction"} <= set(study.sql(f"select * from {table} limit 0").columns)


def by(hypothesis: Hypothesis) -> tuple[str, ...]:
    """Return the columns by which a hypothesis pairs its runs: ``BY_TASK``, then those that it names."""
    return (*BY_TASK, *(hypothesis.per or hypothesis.pair or ()))


def known_tables(study: Study) -> set[str]:
    """Return the tables that a hypothesis may name: those of lrd's probes, and of a researcher's own in the study."""
    shown = {name for (name,) in study.connection.execute("show tables").fetchall()}
    return {*_TABLES, *study.tables, *shown} - {"runs"}


def _check_table(study: Study, hypothesis: Hypothesis) -> None:
    """Raise ``BrokenError`` where the hypothesis names a table that nothing fills."""
    known = known_tables(study)
    if hypothesis.table and hypothesis.table not in known:
        raise BrokenError(f"table: {not_a_choice(hypothesis.table, sorted(known))}")


def answer(study: Study, query: str) -> dict[str, Any]:
    """Return the columns of a query as arrays.

    Raises:
        NotYetError: a table that it reads is empty, or a column is there only in runs unlike these or finished ones.
        BrokenError: it cannot be answered.
    """
    ways = {t: f"no run was measured by the probe {p}: lrd probe {study.path} probe={p}" for t, p in TABLES.items()}
    for name, way_out in (ways | NOT_OF_PROBES).items():
        if re.search(rf"\b{name}\b", query, re.IGNORECASE) and _empty(study, name):
            raise NotYetError(way_out)
    try:
        return query_columns(study, query)
    except NoColumnError as error:
        if error.column in OPTIONS:
            raise NotYetError(f"no run here has the option {error.column}") from error
        if not len(query_columns(study, "select run_id from runs where state = 'finished'")["run_id"]):
            raise NotYetError(f"no run is finished, and only then is there {error.column!r}") from error
        raise BrokenError(str(error)) from error
    except RecordError as error:
        raise BrokenError(str(error)) from error


def _checked(study: Study, text: str) -> str:
    """Return an expression of a hypothesis, ready for a query; it may name tables that nothing has filled yet."""
    try:
        return study.checked(text, known_tables(study))
    except RecordError as error:
        raise BrokenError(str(error)) from error


def _empty(study: Study, table: str) -> bool:
    return table not in study.tables or not len(query_columns(study, f"select run_id from {table} limit 1")["run_id"])
