"""The runs that a claim is about, as columns: what became of each, and its number.

A number that is not known is NaN: of a run that is not finished or failed, or that no probe looked at. It is never
dropped: every measure takes it for whatever would speak most against a verdict, or gives none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.findings.claim import Claim
from lrd.options import not_a_choice
from lrd.probes import PROBES
from lrd.records import Study
from lrd.records.ask import NoColumnError, ask
from lrd.records.files import RecordError

Floats = NDArray[np.float64]

#: The probe that fills each table.
TABLES = {table: name for name, probe in PROBES.items() for table in probe.tables()}

_BY_SEED = ("seed",)
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
    keys: list[tuple[object, ...]]  # by which the claim pairs

    @property
    def size(self) -> int:
        """How many runs there are."""
        return len(self.places)


def group(study: Study, claim: Claim, condition: str) -> Group:
    """The runs that meet a condition.

    Raises:
        NotYetError, BrokenError: what the records lack, or what is wrong with the claim.
    """
    known = ("run_id", "state", "outcome", "solved", "update", "solved_at", "max_updates")
    by = (*_BY_TASK, *(claim.pair or ()))
    columns = [f'"{name}" as _{name}' for name in known] + [f'"{name}" as _by{i}' for i, name in enumerate(by)]
    number = "0" if claim.table else claim.number or "solved"
    columns += [
        f"cast(({text}) as double) as {name}" for name, text in (("_value", number), ("_against", claim.against or "0"))
    ]
    found = _asked(study, claim, f"select {', '.join(columns)} from runs where ({condition}) order by _run_id")
    run_ids = found["_run_id"].tolist()

    def number_of(name: str) -> Floats:
        return np.asarray(found[f"_{name}"], dtype=np.float64)

    value = number_of("value")
    if claim.table:
        looked = _looked(study, claim)
        value = np.array([looked.get(run_id, np.nan) for run_id in run_ids], dtype=np.float64)
    places = list(zip(*(found[f"_by{i}"].tolist() for i in range(len(by))), strict=True))
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


def pairs(claim: Claim, first: Group, second: Group) -> tuple[list[int], list[int]] | None:
    """Which run of the first group goes with which of the second, as indices; None where they are not paired.

    Raises:
        BrokenError: the claim pairs by columns that do not pair these runs.
    """
    if claim.pair == ():
        return None
    ways = [([place[3:] for place in g.places], g.places) for g in (first, second)]
    for one, other in [(first.keys, second.keys)] if claim.pair else zip(*ways, strict=True):
        if len(set(one)) == len(one) == len(other) and set(one) == set(other):
            where = {key: index for index, key in enumerate(other)}
            return list(range(len(one))), [where[key] for key in one]
    if claim.pair:
        raise BrokenError(
            f"pair: {', '.join(claim.pair)} do not pair the runs one to one; name more columns, or none: []"
        )
    return None


def _looked(study: Study, claim: Claim) -> dict[str, float]:
    """The number of the rows of each run that was looked at."""
    query = f"""
        select run_id as _run_id, cast(({claim.number}) as double) as _value from (
            select looked.*, ended from {claim.table} as looked
            join (select run_id, case when state = 'finished' then "update" end as ended from runs) using (run_id)
        ) where {_LOOKS[claim.at]} and ({claim.rows or "true"}) group by all order by all
    """
    found = _asked(study, claim, query)
    run_ids = found["_run_id"].tolist()
    if len(set(run_ids)) < len(run_ids):
        raise BrokenError(f"number: {claim.number!r} gives several numbers of one run; take one, such as avg(...)")
    return dict(zip(run_ids, found["_value"].tolist(), strict=True))


def _asked(study: Study, claim: Claim, query: str) -> dict[str, Any]:
    named = {name for name in TABLES if re.search(rf"\b{name}\b", query, re.IGNORECASE)}
    for name in sorted(named | ({claim.table} if claim.table else set())):
        if name not in TABLES.keys() | set(study.tables):
            known = sorted({"metrics", *TABLES})
            raise BrokenError(f"table: {not_a_choice(name, known)}")
        if name in TABLES and _empty(study, name):
            raise NotYetError(
                f"no run was looked at by the probe {TABLES[name]}: lrd probe {study.path} probe={TABLES[name]}"
            )
    try:
        return ask(study, query)
    except NoColumnError as error:
        if not len(ask(study, "select run_id from runs where state = 'finished'")["run_id"]):
            raise NotYetError(f"no run is finished, and only then is there {error.column!r}") from error
        raise BrokenError(str(error)) from error
    except RecordError as error:
        raise BrokenError(str(error)) from error


def _empty(study: Study, table: str) -> bool:
    if table not in study.tables:
        return True
    return not len(ask(study, f"select run_id from {table} limit 1")["run_id"])
