"""Gradient flow of one answer a measurement, read once for all figures of it.

Of several answers that one measurement followed, the last one counts (``LAST_ANSWER``): the one that its fit is of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lrd.figures.start_and_end import LAST_ANSWER
from lrd.figures.tables import Array, Table, groups, plain

#: A row a measurement, part of the network and state variable, with its profile as lists.
_FLOW = f"""
    with profiles as (
        select run_id, update, layer, direction, variable, answer,
            list(t) as t, list(lag) as lag, list(coalesce(log10_gmean, 'nan'::double)) as log10_gmean
        from gradient_flow where part = 'total' group by all
    ),
    measured as (from profiles {LAST_ANSWER.replace("measured.", "")})
    select measured.* exclude (answer), ended,
        case when answers > 1 then 'last' else answer end as answer
    from measured
    join (select run_id, update, count(distinct answer) as answers from profiles group by all) using (run_id, update)
    join (select run_id, case when state = 'finished' then update end as ended from runs) using (run_id)
    order by measured.run_id, measured.update, layer, direction desc, variable
"""
_FITS = """
    select measured.*, ended from gradient_fit as measured
    join (select run_id, case when state = 'finished' then update end as ended from runs) using (run_id)
    order by run_id, measured.update, layer, direction desc, variable
"""
_PROFILE = ("t", "lag", "log10_gmean")


@dataclass(frozen=True)
class FlowProfiles:
    """The gradient flow of a study: a table of measurements, and a longer one of their steps.

    Most tables of a figure are grouped by columns of measurements alone, and a measurement has as many steps as a
    sequence: groups of measurements are made first, and their steps set beside them then (``rows``).

    Attributes:
        measurements: A row a run, update, part of a network and state variable, with ``answer``, ``ended`` (the update
            at which a finished run ended, NaN for the others) and ``number``, its place in this table.
        steps: t, lag and log10_gmean of one measurement after the other.
        starts: [measurements + 1] where the steps of each measurement begin.
    """

    measurements: Table
    steps: Table
    starts: Array

    def rows(self, measurements: Table) -> Table:
        """Return a row a step of some measurements: their columns, and t, lag and log10_gmean."""
        numbers = measurements["number"]
        counts = self.starts[numbers + 1] - self.starts[numbers]
        shift = self.starts[numbers] - np.cumsum(counts) + counts
        places = np.arange(counts.sum()) + np.repeat(shift, counts)
        repeated = {name: np.repeat(column, counts) for name, column in measurements.items()}
        return repeated | {name: column[places] for name, column in self.steps.items()}

    def groups(self, measurements: Table, *keys: str) -> Iterator[tuple[tuple[Any, ...], Table]]:
        """Yield measurements that agree in the columns ``keys``, group by group, as a row a step."""
        for key, group in groups(measurements, *keys):
            yield key, self.rows(group)

    def ends(self, measurements: Table) -> dict[tuple[Any, ...], int]:
        """Return the step of the answer at each (panel, gap)."""
        last = np.maximum.reduceat(self.steps["t"] + self.steps["lag"], self.starts[:-1])
        return {key: int(last[group["number"]].max()) for key, group in groups(measurements, "panel", "gap")}


_kept: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def flow_profiles(study: Any) -> FlowProfiles:
    """Return the gradient flow of all runs at all measurements, in the order of run, update, part, variable and t."""
    flow: FlowProfiles = _once(study, _FLOW, _profiles)
    return flow


def flow_fits(study: Any) -> Table:
    """Return the rows of gradient_fit with ``ended``: the update at which a finished run ended, NaN for the others."""
    fits: Table = _once(study, _FITS, lambda found: found | {"ended": plain(found["ended"])})
    return fits


def _once(study: Any, query: str, make: Callable[[Table], Any]) -> Any:
    """Return what is made of the result of a query; it is run the first time that a study is asked it."""
    records = getattr(study, "study", study)  # of the study under what a figure is given (``drawing.QueriedStudy``)
    kept = _kept.setdefault(records, {})
    if query not in kept:
        kept[query] = make(study.columns(query))
    elif study is not records:
        study.queries.append(query)  # this figure shows it, too
    return kept[query]


def _profiles(found: Table) -> FlowProfiles:
    counts = np.array([len(steps) for steps in found["t"]], dtype=np.int64)
    number = np.repeat(np.arange(len(counts)), counts)
    steps = {name: np.concatenate([*found.pop(name), np.empty(0, dtype=np.int64)]) for name in _PROFILE}
    order = np.lexsort((steps["t"], number))  # lists are in the order of the file, which need not be that of t
    steps = {name: column[order] for name, column in steps.items()}
    measurements = found | {"ended": plain(found["ended"]), "number": np.arange(len(counts))}
    return FlowProfiles(measurements, steps, np.r_[0, np.cumsum(counts)])


def at_moments(measurements: Table, moments: Mapping[str, Array]) -> Table:
    """Return the measurements of several moments, one moment after the other.

    Args:
        measurements: A table of measurements.
        moments: For each name of a moment, which measurements belong to it: a mask [measurements].

    Returns:
        The columns of ``measurements``, and ``moment``: the name.
    """
    chosen = {moment: np.flatnonzero(mask) for moment, mask in moments.items()}
    places = np.concatenate([np.empty(0, dtype=np.int64), *chosen.values()])
    names = np.repeat(np.array(list(chosen), dtype=object), [len(of) for of in chosen.values()])
    return {name: column[places] for name, column in measurements.items()} | {"moment": names}


def at_start_and_end(measurements: Table) -> Table:
    """Return the measurements at the start and at the end of finished runs, with ``moment``: init or end."""
    update, ended = measurements["update"], measurements["ended"]
    masks = {"init": (update == 0) & ~np.isnan(ended), "end": (update > 0) & (update == ended)}
    return at_moments(measurements, masks)


def panels_by_answer(rows: Table, runs: Table) -> Table:
    """Return the runs with a panel of its own for each answer, if there are several: they are no seeds of one another.

    Args:
        rows: Measurements, with ``run_id`` and ``answer``.
        runs: The table of runs.
    """
    if len(set(rows["answer"])) < 2:
        return runs
    answer = dict(zip(rows["run_id"], rows["answer"], strict=True))
    pairs = zip(runs["panel"], runs["run_id"], strict=True)
    return runs | {"panel": np.array([f"{panel}, answer: {answer.get(run)}" for panel, run in pairs], dtype=object)}
