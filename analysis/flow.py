"""Gradient flow of the last answer that was looked at, shared by the figures of it, and read once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import common
import numpy as np
from moments import LAST_ANSWER

#: A row a look and state variable, with its profile as lists; of several answers of one look, ``LAST_ANSWER`` alone.
_LOOKS = f"""
    with profiles as (
        select run_id, update, variable, answer,
            list(t) as t, list(lag) as lag, list(coalesce(log10_gmean, 'nan'::double)) as log10_gmean
        from gradient_flow where part = 'total' group by all
    ),
    looked as (from profiles {LAST_ANSWER.replace("looked.", "")})
    select looked.* exclude (answer), ended,
        case when answers > 1 then 'last' else answer end as answer
    from looked
    join (select run_id, update, count(distinct answer) as answers from profiles group by all) using (run_id, update)
    join (select run_id, case when state = 'finished' then update end as ended from runs) using (run_id)
    order by looked.run_id, looked.update, variable
"""
_FITS = """
    select looked.*, ended from gradient_fit as looked
    join (select run_id, case when state = 'finished' then update end as ended from runs) using (run_id)
    order by run_id, looked.update, variable
"""
_PROFILE = ("t", "lag", "log10_gmean")


@dataclass(frozen=True)
class Flow:
    """``looks``: a row a run, update and state variable, with ``answer``, ``ended`` and its number, ``look``.

    ``steps``: t, lag and log10_gmean of one look after the other, from ``starts`` [looks + 1] on. Most tables of a
    figure are grouped by what looks alone say, and a look has as many steps as a sequence: groups of looks are made
    first, and their steps set beside them then (``rows``).
    """

    looks: common.Table
    steps: common.Table
    starts: common.Array

    def rows(self, looks: common.Table) -> common.Table:
        """A row a step of these looks: their columns and ``steps``."""
        numbers = looks["look"]
        counts = self.starts[numbers + 1] - self.starts[numbers]
        shift = self.starts[numbers] - np.cumsum(counts) + counts
        places = np.arange(counts.sum()) + np.repeat(shift, counts)
        repeated = {name: np.repeat(column, counts) for name, column in looks.items()}
        return repeated | {name: column[places] for name, column in self.steps.items()}

    def groups(self, looks: common.Table, *keys: str) -> Iterator[tuple[tuple[Any, ...], common.Table]]:
        """As ``common.groups``, with the rows of the looks of each group."""
        for key, group in common.groups(looks, *keys):
            yield key, self.rows(group)

    def ends(self, looks: common.Table) -> dict[tuple[Any, ...], int]:
        """The step of the answer at each (panel, gap)."""
        last = np.maximum.reduceat(self.steps["t"] + self.steps["lag"], self.starts[:-1])
        return {key: int(last[group["look"]].max()) for key, group in common.groups(looks, "panel", "gap")}


_kept: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def flow_of_every_look(study: Any) -> Flow:
    """The profiles of all looks at all runs, in the order of run, update, variable and t."""
    flow: Flow = _once(study, _LOOKS, _flow)
    return flow


def fits_of_every_look(study: Any) -> common.Table:
    """The rows of gradient_fit, with ``ended``: the update at which a finished run ended, NaN for the others."""
    fits: common.Table = _once(study, _FITS, lambda found: found | {"ended": common.plain(found["ended"])})
    return fits


def _once(study: Any, query: str, make: Callable[[common.Table], Any]) -> Any:
    """What is made of the columns of a query, the first time that a study is asked it."""
    records = getattr(study, "study", study)  # under a figure's own list of what it asks (``drawing.Watched``)
    kept = _kept.setdefault(records, {})
    if query not in kept:
        kept[query] = make(study.columns(query))
    elif study is not records:
        study.queries.append(query)  # this figure shows it, too
    return kept[query]


def _flow(found: common.Table) -> Flow:
    counts = np.array([len(steps) for steps in found["t"]], dtype=np.int64)
    look = np.repeat(np.arange(len(counts)), counts)
    steps = {name: np.concatenate([*found.pop(name), np.empty(0, dtype=np.int64)]) for name in _PROFILE}
    order = np.lexsort((steps["t"], look))  # lists are in the order of the file, which need not be that of t
    steps = {name: column[order] for name, column in steps.items()}
    looks = found | {"ended": common.plain(found["ended"]), "look": np.arange(len(counts))}
    return Flow(looks, steps, np.r_[0, np.cumsum(counts)])


def at_moments(looks: common.Table, moments: Mapping[str, common.Array]) -> common.Table:
    """The looks of each mask [looks], one after the other, with ``moment``: its name."""
    chosen = {moment: np.flatnonzero(mask) for moment, mask in moments.items()}
    places = np.concatenate([np.empty(0, dtype=np.int64), *chosen.values()])
    names = np.repeat(np.array(list(chosen), dtype=object), [len(of) for of in chosen.values()])
    return {name: column[places] for name, column in looks.items()} | {"moment": names}


def at_start_and_end(looks: common.Table) -> common.Table:
    """The looks at the start and at the end of finished runs, as ``moments.rows_at`` gives rows."""
    update, ended = looks["update"], looks["ended"]
    return at_moments(looks, {"init": (update == 0) & ~np.isnan(ended), "end": (update > 0) & (update == ended)})


def panels_by_answer(rows: common.Table, runs: common.Table) -> common.Table:
    """The runs, with panels of their own for each answer if there are several: their losses are no seeds of one."""
    if len(set(rows["answer"])) < 2:
        return runs
    answer = dict(zip(rows["run_id"], rows["answer"], strict=True))
    pairs = zip(runs["panel"], runs["run_id"], strict=True)
    return runs | {"panel": np.array([f"{panel}, answer: {answer.get(run)}" for panel, run in pairs], dtype=object)}
