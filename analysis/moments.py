"""What probes saw before and after training, as bands over seeds: shared by the figures of these two moments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import common
import numpy as np

from lrd.stats import Band, band

#: The looks that every finished run has: at its start, and at the update of its summary.
MOMENTS = {"init": "looked.update = 0", "end": "looked.update > 0 and looked.update = ended"}
THIN: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.5}  # before training, in every figure

#: Of the rows of one look that differ by state variable, those of c, which keeps, where the cell has it; else of h.
KEEPING = "qualify rank() over (partition by run_id, update order by variable) = 1"
#: Of the profiles of one look that differ by answer, those of the last answer looked at: the one that the fit is of.
LAST_ANSWER = """qualify rank() over (
    partition by looked.run_id, looked.update
    order by answer = 'last' desc, try_cast(answer as integer) desc nulls last, answer
) = 1"""

Profile = tuple[common.Array, Band]


def need_probe(study: Any, probe: str) -> None:
    """Raise ``NotLookedAtError`` where no run was looked at by a probe."""
    if probe not in study.tables:
        raise not_looked_at(study, probe)


def not_looked_at(study: Any, probe: str) -> common.NotLookedAtError:
    """What to raise where no run was looked at by a probe, with the way out."""
    way_out = f"lrd probe {study.path} probe={probe}"
    return common.NotLookedAtError(f"no run was looked at by the probe `{probe}`: {way_out}")


def rows_at(study: Any, table: str, columns: str, where: str = "true", further: str = "") -> common.Table:
    """Rows of the looks at the start and at the end of finished runs, with ``moment``: init or end."""
    finished = "(select run_id, update as ended from runs where state = 'finished')"
    moment = " ".join(f"when {when} then '{moment}'" for moment, when in MOMENTS.items())
    found: common.Table = study.columns(
        f"select * from (select looked.run_id, {columns}, case {moment} end as moment from {table} as looked"
        f" join {finished} using (run_id) where ({' or '.join(MOMENTS.values())}) and ({where}) {further}) order by all"
    )
    return found


def along_t(rows: common.Table, value: str) -> Profile:
    """Steps t, and the band over runs at each."""
    steps, matrix = pivot(rows, "run_id", "t", value)
    return steps, band(matrix)


def pivot(rows: common.Table, down: str, across: str, value: str) -> tuple[common.Array, common.Array]:
    """The distinct values of ``across``, and the matrix [down, across] of ``value``: NaN where there is no row."""
    columns, place = np.unique(rows[across], return_inverse=True)
    names, line = np.unique(rows[down].astype(str), return_inverse=True)
    matrix = np.full((len(names), len(columns)), np.nan)
    matrix[line, place] = common.plain(rows[value])
    return columns, matrix


def note(spreads: Iterable[Band], runs: common.Table, drawn: Iterable[str]) -> str:
    """The foot line of a figure of finished runs: how many seeds, what a band is, which runs are not there."""
    bands = list(spreads)
    counts = [int(spread.count.max(initial=0)) for spread in bands]
    return common.lines_are(runs, counts, bands) + absent(runs, drawn) + common.pooling(runs)


def absent(runs: common.Table, drawn: Iterable[str]) -> str:
    """Which runs of a study are not in a figure of finished runs, as a sentence; empty where all are."""
    finished = runs["state"] == "finished"
    unseen = finished & ~np.isin(runs["run_id"].astype(str), sorted({str(run_id) for run_id in drawn}))
    missing = {"that did not come to an end": int((~finished).sum()), "not looked at": int(unseen.sum())}
    words = ", ".join(f"{number} runs {what}" for what, number in missing.items() if number)
    return f" Not drawn: {words}." if words else ""


def finite(values: common.Array) -> common.Array:
    """What can be drawn: NaN in the place of infinities, at which matplotlib's limits break."""
    return np.where(np.isfinite(values), values, np.nan)
