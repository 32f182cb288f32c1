"""The runs that a hypothesis is about, as columns: what became of each, and its number.

The number of a run that is not finished or failed, or that no probe measured, is not known: NaN. It is never dropped:
every measure takes it for whatever would speak most against a verdict, or gives no interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lrd.findings.hypothesis import Hypothesis
from lrd.findings.queries import BY_TASK, BrokenError, answer, by, query_of_runs, query_of_table
from lrd.records import Study

Floats = NDArray[np.float64]
Pairs = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Group:
    """Runs in the order of their ids, one entry each in every column; NaN is "not there" or "not known".

    The columns ``state`` to ``max_updates`` are those of the table ``runs``. Where ``unit`` is not ``run``, the columns
    ``value``, ``places`` and ``keys`` have one entry for each unit instead.
    """

    run_id: list[str]
    state: list[str]
    outcome: list[str | None]
    solved: Floats
    update: Floats
    solved_at: Floats
    max_updates: Floats
    value: Floats  # the number of each run
    against: Floats  # for a trend, the number of each run that the value is held against
    places: list[tuple[object, ...]]  # task, convention, gap, seed
    keys: list[tuple[object, ...]]  # the columns by which the hypothesis pairs runs, or makes units
    unit: str = "run"

    @property
    def size(self) -> int:
        """Return how many runs, or units, there are."""
        return len(self.places)

    @property
    def count(self) -> str:
        """Return their number in words: ``1 run``, ``5 runs``, ``5 units``."""
        return f"{self.size} {self.unit}{'' if self.size == 1 else 's'}"


def group(study: Study, hypothesis: Hypothesis, condition: str) -> Group:
    """Return the runs of a study that meet a condition of a hypothesis, with their numbers.

    Raises:
        NotYetError: the records have no answer yet.
        BrokenError: something is wrong with the hypothesis.
    """
    found = answer(study, query_of_runs(study, hypothesis, condition))
    run_ids = found["_run_id"].tolist()

    def number_of(name: str) -> Floats:
        return np.asarray(found[f"_{name}"], dtype=np.float64)

    value = number_of("value")
    if hypothesis.table:
        measured = _measured(study, hypothesis)
        value = np.array([measured.get(run_id, np.nan) for run_id in run_ids], dtype=np.float64)
    by_run = list(zip(*(found[f"_by{place}"].tolist() for place in range(len(by(hypothesis)))), strict=True))
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
        places=[row[: len(BY_TASK)] for row in by_run],
        keys=[row[len(BY_TASK) :] for row in by_run],
    )


def units(hypothesis: Hypothesis, runs: Group) -> Group:
    """Return the units of a hypothesis: runs that agree in the columns of ``per`` are one, with their mean number.

    The number of a unit is not known where that of any of its runs is not. Without ``per`` the runs stay as they are.
    """
    if not hypothesis.per:
        return runs
    members: dict[tuple[object, ...], list[int]] = {}
    for index, key in enumerate(runs.keys):
        members.setdefault(key, []).append(index)
    means = {key: float(runs.value[mine].mean()) for key, mine in members.items()}
    first = [mine[0] for mine in members.values()]
    return replace(
        runs,
        value=np.array(list(means.values())),
        places=[runs.places[index] for index in first],
        keys=list(means),
        unit="unit",
    )


def pairs(hypothesis: Hypothesis, first: Group, second: Group) -> Pairs | None:
    """Return which run of the first group goes with which of the second.

    Returns:
        Indices into the first and into the second group, a pair at each place; ``None`` where runs are not paired.

    Raises:
        BrokenError: the hypothesis names columns that do not pair these runs one to one.
    """
    if hypothesis.pair == ():
        return None
    ways = [([place[3:] for place in g.places], g.places) for g in (first, second)]  # by seed, then by all of BY_TASK
    named = hypothesis.per or hypothesis.pair
    for one, other in [(first.keys, second.keys)] if named else zip(*ways, strict=True):
        if len(set(one)) == len(one) == len(other) and set(one) == set(other):
            where = {key: index for index, key in enumerate(other)}
            return list(range(len(one))), [where[key] for key in one]
    if hypothesis.pair:
        names = ", ".join(hypothesis.pair)
        raise BrokenError(f"pair: {names} do not pair the runs one to one; name more columns, or none: []")
    return None


def _measured(study: Study, hypothesis: Hypothesis) -> dict[str, float]:
    """Return the number of each run that has rows in the table of the hypothesis."""
    found = answer(study, query_of_table(study, hypothesis))
    run_ids = found["_run_id"].tolist()
    if len(set(run_ids)) < len(run_ids):
        raise BrokenError(f"number: {hypothesis.number!r} gives several numbers of one run; take one, such as avg(...)")
    return dict(zip(run_ids, found["_value"].tolist(), strict=True))
