"""Runs made up for hypotheses to be about: a study without files, from a few words a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lrd.findings import Finding, Hypothesis, check_hypotheses, hypotheses_from
from lrd.findings.groups import Group
from lrd.records import Study

GIVEN = 1000  # updates that a run is given


def row(seed: int, cell: str = "rnn", solved_at: int | None = None, **more: Any) -> dict[str, Any]:
    """A finished run, solved at an update or not at all; ``more``: other columns, a state, ``outcome='diverged'``."""
    state, outcome = more.get("state", "finished"), "unsolved" if solved_at is None else "solved"
    known: dict[str, Any] = {"state": state, "cell": cell, "seed": seed, "task": "adding", "convention": "a", "gap": 10}
    known |= {"max_updates": GIVEN, "update": GIVEN if solved_at is None else solved_at, "solved_at": solved_at}
    known |= {"outcome": outcome if state == "finished" else None} | more
    known["solved"] = int(known["outcome"] == "solved") if state == "finished" else None
    place = "-".join(str(known[name]) for name in ("task", "convention", "gap", "cell"))
    return {"run_id": f"{place}-{seed}-{more}", "study": "made"} | known


def study(rows: Iterable[dict[str, Any]]) -> Study:
    return Study(Path(), list(rows), [])


def hypothesis(**statement: Any) -> Hypothesis:
    """A hypothesis that is right but for what the test says."""
    given = {"says": "It is so.", "measure": "share", "of": "cell = 'rnn'"} | statement
    if not {"above", "below", "within", "within_factor"} & given.keys():
        given["above"] = 0.5
    return hypotheses_from({"it": given})[0]


def found(rows: Iterable[dict[str, Any]], **statement: Any) -> Finding:
    """What is found of one hypothesis about these runs; alone, it has a level of 95 %."""
    (finding,) = check_hypotheses([hypothesis(**statement)], study(rows))
    return finding


def group(value: Iterable[float], **columns: Any) -> Group:
    """Finished runs of seeds 0, 1, ... with these numbers."""
    values = np.asarray(list(value), dtype=np.float64)
    n = values.size
    plain = {name: np.full(n, np.nan) for name in ("solved", "update", "solved_at", "max_updates", "against")}
    places: list[tuple[object, ...]] = [("adding", "a", 10, seed) for seed in range(n)]
    made: dict[str, Any] = {"run_id": [str(seed) for seed in range(n)], "state": ["finished"] * n}
    made |= {"outcome": ["unsolved"] * n, "value": values, "places": places, "keys": [()] * n}
    return Group(**{**plain, **made, **columns})
