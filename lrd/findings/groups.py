"""The runs that a claim is about, as columns: what became of each, and its number.

A number that is not known is NaN: of a run that is not finished or failed, or that no probe looked at. It is never
dropped: every measure takes it for whatever would speak most against a verdict, or gives none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.findings.claim import Claim
from lrd.options import not_a_choice
from lrd.probes import PROBES
from lrd.records import Study
from lrd.records.files import RecordError
from lrd.records.query import NoColumnError, query_columns
from lrd.spec import OPTIMIZERS, kinds_of

Floats = NDArray[np.float64]

#: The probe that fills each table.
TABLES = {table: name for name, probe in PROBES.items() for table in probe.tables()}

#: Columns of ``runs`` that are there only where some cell, task or optimiser has the option.
OPTIONS = frozenset(
    f"{group}_{field.name}"
    for group, kinds in (("cell", kinds_of("cell")), ("task", kinds_of("task")), ("optimizer", OPTIMIZERS))
    for kind in kinds.values()
    for field in fields(kind)
)

KNOWN_TABLES = {"metrics", *TABLES}

_KNOWN = ("run_id", "state", "outcome", "solved", "update", "solved_at", "max_updates")
_BY_TASK = ("task", "convention", "gap", "seed")
_LOOKS = {"start": '"update" = 0', "end": '"update" > 0 and "update" = ended', "all": "true"}


class NotYetError(Exception):
    """The records cannot be asked yet: nobody looked, or nothing is finished. The message says the way out."""


class BrokenError(Exception):
    """The statement cannot be asked of these records at all; the message says what is wrong with it."""


@dataclass(frozen=True)
class Group:
    """Columns [runs] in the order of run ids, of the names that they have in ``runs``; NaN is not there, or not known.

    ``value``: the number of each run; ``against``: the other one of a trend.
    """

    run_id: list[str]
    state: list[str]
    outcome: list[str | None]
    solved: Floats
    update: Floats
    solved_at: Floats
    max_updates: Floats
    value: Floats
    against: Floats
    places: list[tuple[object, ...]]  # task, convention, gap, seed
    keys: list[tuple[object, ...]]  # by which the claim pairs, or makes units
    unit: str = "run"

    @property
    def size(self) -> int:
        """How many runs, or units, there are."""
        return len(self.places)

    def named(self, plural: str = "s") -> str:
        """``1 run``, ``5 runs``, ``5 units``."""
        return f"{self.size} {self.unit}{'' if self.size == 1 else plural}"


def group(study: Study, claim: Claim, condition: str) -> Group:
    """The runs that meet a condition.

    Raises:
        NotYetError, BrokenError: what the records lack, or what is wrong with the claim.
    """
    found = _asked(study, claim, query_of_runs(study, claim, condition))
    run_ids = found["_run_id"].tolist()

    def number_of(name: str) -> Floats:
        return np.asarray(found[f"_{name}"], dtype=np.float64)

    value = number_of("value")
    if claim.table:
        looked = _looked(study, claim)
        value = np.array([looked.get(run_id, np.nan) for run_id in run_ids], dtype=np.float64)
    places = list(zip(*(found[f"_by{i}"].tolist() for i in range(len(_by(claim)))), strict=True))
    return Group(
        run_id=run_ids,
        state=found["_state"].tolist(),
        outcome=found["_outcome"].tolist(),
        solved=number_of("solved"),
        update=number_of("update"),
        solved_at=number_of("solved_at"),
        max_updates=number_of("max_updates"),
        value=value,
        against=number_of("against"),
        places=[place[: len(_BY_TASK)] for place in places],
        keys=[place[len(_BY_TASK) :] for place in places],
    )


def units(claim: Claim, of_runs: Group) -> Group:
    """The runs that agree in the columns of ``per`` as one, with the mean of their numbers: one unknown, it is too."""
    if not claim.per:
        return of_runs
    members: dict[tuple[object, ...], list[int]] = {}
    for index, key in enumerate(of_runs.keys):
        members.setdefault(key, []).append(index)
    means = {key: float(of_runs.value[mine].mean()) for key, mine in members.items()}
    first = [mine[0] for mine in members.values()]
    return replace(
        of_runs,
        value=np.array(list(means.values())),
        places=[of_runs.places[index] for index in first],
        keys=list(means),
        unit="unit",
    )


def pairs(claim: Claim, first: Group, second: Group) -> tuple[list[int], list[int]] | None:
    """Which run of the first group goes with which of the second, as indices; None where they are not paired.

    Raises:
        BrokenError: the claim pairs by columns that do not pair these runs.
    """
    if claim.pair == ():
        return None
    ways = [([place[3:] for place in g.places], g.places) for g in (first, second)]
    named = claim.per or claim.pair
    for one, other in [(first.keys, second.keys)] if named else zip(*ways, strict=True):
        if len(set(one)) == len(one) == len(other) and set(one) == set(other):
            where = {key: index for index, key in enumerate(other)}
            return list(range(len(one))), [where[key] for key in one]
    if claim.pair:
        by = ", ".join(claim.pair)
        raise BrokenError(f"pair: {by} do not pair the runs one to one; name more columns, or none: []")
    return None


def query_of_runs(study: Study, claim: Claim, condition: str) -> str:
    """SQL for what a claim wants to know of the runs of a study that meet a condition.

    Raises:
        BrokenError: condition or numbers are more than expressions over the tables of a study.
    """
    columns = [f'"{name}" as _{name}' for name in _KNOWN]
    columns += [f'"{name}" as _by{place}' for place, name in enumerate(_by(claim))]
    number = "0" if claim.table else claim.number or "solved"
    value, against = _checked(study, number), _checked(study, claim.against or "0")
    columns += [f"cast({value} as double) as _value", f"cast({against} as double) as _against"]
    return f"select {', '.join(columns)} from runs where {_checked(study, condition)} order by _run_id"


def query_of_table(study: Study, claim: Claim) -> str:
    """SQL for the number that a claim takes from the rows of each run in a probe's table; raises as that of runs."""
    return f"""
        select run_id as _run_id, cast({_checked(study, claim.number)} as double) as _value from (
            select looked.*, ended from {claim.table} as looked
            join (select run_id, case when state = 'finished' then "update" end as ended from runs) using (run_id)
        ) where {_LOOKS[claim.at]} and {_checked(study, claim.rows or "true")} group by all order by all
    """


def check_table(claim: Claim) -> None:
    """Raise ``BrokenError`` where the claim's table is one that nothing fills."""
    if claim.table and claim.table not in KNOWN_TABLES:
        raise BrokenError(f"table: {not_a_choice(claim.table, sorted(KNOWN_TABLES))}")


def _checked(study: Study, text: str) -> str:
    """An expression of a claim, ready for a query; also over a table that nobody has filled yet."""
    try:
        return study.checked(text, KNOWN_TABLES)
    except RecordError as error:
        raise BrokenError(str(error)) from error


def _by(claim: Claim) -> tuple[str, ...]:
    return (*_BY_TASK, *(claim.per or claim.pair or ()))


def _looked(study: Study, claim: Claim) -> dict[str, float]:
    """The number of the rows of each run that was looked at."""
    check_table(claim)
    found = _asked(study, claim, query_of_table(study, claim))
    run_ids = found["_run_id"].tolist()
    if len(set(run_ids)) < len(run_ids):
        raise BrokenError(f"number: {claim.number!r} gives several numbers of one run; take one, such as avg(...)")
    return dict(zip(run_ids, found["_value"].tolist(), strict=True))


def _asked(study: Study, claim: Claim, query: str) -> dict[str, Any]:
    for name, probe in TABLES.items():
        if re.search(rf"\b{name}\b", query, re.IGNORECASE) and _empty(study, name):
            raise NotYetError(f"no run was looked at by the probe {probe}: lrd probe {study.path} probe={probe}")
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


def _empty(study: Study, table: str) -> bool:
    return table not in study.tables or not len(query_columns(study, f"select run_id from {table} limit 1")["run_id"])
