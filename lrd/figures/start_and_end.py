"""What probes measured before and after training, as bands over seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lrd.figures.captions import lines_are, pooling
from lrd.figures.errors import NotMeasuredError
from lrd.figures.tables import Array, Table, pivot
from lrd.stats import Band, band

#: SQL for the measurements that every finished run has: at its start, and at the update of its summary.
MOMENTS = {"init": "measured.update = 0", "end": "measured.update > 0 and measured.update = ended"}
THIN: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.5}  # lines of before training, in every figure

#: SQL that keeps, of rows that differ by state variable, those of c, the memory, where the cell has it; else of h.
KEEPING = "qualify rank() over (partition by run_id, update, layer, direction order by variable) = 1"
#: SQL that keeps, of profiles that differ by answer, those of the last answer measured: the one that the fit is of.
LAST_ANSWER = """qualify rank() over (
    partition by measured.run_id, measured.update
    order by answer = 'last' desc, try_cast(answer as integer) desc nulls last, answer
) = 1"""

Profile = tuple[Array, Band]


def need_probe(study: Any, probe: str) -> None:
    """Raise ``NotMeasuredError`` if a probe measured no run of a study."""
    if probe not in study.tables:
        raise not_measured(study, probe)


def not_measured(study: Any, probe: str) -> NotMeasuredError:
    """Return the error to raise if a probe measured no run of a study; it names the way out."""
    way_out = f"lrd probe {study.path} probe={probe}"
    return NotMeasuredError(f"no run was measured by the probe `{probe}`: {way_out}")


def rows_at(study: Any, table: str, columns: str, where: str = "true", further: str = "") -> Table:
    """Return what a probe measured at the start and at the end of finished runs.

    Args:
        study: The study.
        table: Name of the probe's table, or a query in brackets.
        columns: Columns to select, in SQL; those of the table are ``measured.NAME`` where the name alone is ambiguous.
        where: Condition for the rows, in SQL.
        further: What follows the condition, in SQL.

    Returns:
        run_id, the columns, and ``moment``: init or end.
    """
    finished = "(select run_id, update as ended from runs where state = 'finished')"
    moment = " ".join(f"when {when} then '{moment}'" for moment, when in MOMENTS.items())
    found: Table = study.columns(
        f"select * from (select measured.run_id, {columns}, case {moment} end as moment from {table} as measured"
        f" join {finished} using (run_id) where ({' or '.join(MOMENTS.values())}) and ({where}) {further}) order by all"
    )
    return found


def along_t(rows: Table, value: str) -> Profile:
    """Return the steps t of some rows, and the band of a column over runs at each step."""
    steps, matrix = pivot(rows, "run_id", "t", value)
    return steps, band(matrix)


def note(spreads: Iterable[Band], runs: Table, drawn: Iterable[str]) -> str:
    """Return the line under a figure of finished runs: how many seeds, what a band is, which runs are not there.

    Args:
        spreads: The bands that are drawn.
        runs: The table of the study's runs.
        drawn: Ids of the runs that are drawn.
    """
    bands = list(spreads)
    counts = [int(spread.count.max(initial=0)) for spread in bands]
    return lines_are(runs, counts, bands) + absent(runs, drawn) + pooling(runs)


def absent(runs: Table, drawn: Iterable[str]) -> str:
    """Return which runs of a study are not in a figure of finished runs, as a sentence; empty where all are."""
    finished = runs["state"] == "finished"
    unseen = finished & ~np.isin(runs["run_id"].astype(str), sorted({str(run_id) for run_id in drawn}))
    missing = {"that did not come to an end": int((~finished).sum()), "not measured": int(unseen.sum())}
    words = ", ".join(f"{number} runs {what}" for what, number in missing.items() if number)
    return f" Not drawn: {words}." if words else ""
