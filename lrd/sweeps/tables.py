"""Tables for the terminal, made from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrd.records import Study
from lrd.stats import factor_per_step, horizon
from lrd.sweeps.units import duration

# A row a (task, gap, cell): medians over runs; slopes of the first and the last measurement of dL/dh_t, of networks in
# the last layer.
_RESULTS = """
with measured as (
    select run_id, arg_min(slope, "update") as slope_start, arg_max(slope, "update") as slope_end
    from gradient_fit where variable = 'h' and direction = 'forward' group by run_id, layer
    qualify layer = max(layer) over (partition by run_id)
)
select task, gap, coalesce(cast(cell_label as varchar), cell) as cell, count(*) as runs,
    count(*) filter (outcome = 'solved') as solved, count(*) filter (outcome = 'diverged') as diverged,
    count(*) filter (outcome is null) as unfinished,
    median(solved_at) filter (outcome = 'solved') as updates,
    median(slope_start) as slope_start, median(slope_end) as slope_end
from runs left join measured using (run_id) group by all order by task, gap, cell
"""
_STATES = """
select task, gap, coalesce(cast(cell_label as varchar), cell) as cell,
    count(*) filter (state = 'running') as running, count(*) filter (state = 'interrupted') as interrupted,
    count(*) filter (state = 'failed') as failed, count(*) filter (outcome = 'solved') as solved,
    count(*) filter (outcome = 'unsolved') as unsolved, count(*) filter (outcome = 'diverged') as diverged,
    coalesce(sum("update"), 0) as done, coalesce(sum("left"), 0) as left, sum("left" * pace) as seconds
from paced group by all order by task, gap, cell
"""
# Runs with the updates that each has left, at most, and its pace: seconds an update, its own or of those most like it.
PACED = """
with own as (
    select *, case when outcome is null then greatest(0, training_max_updates - coalesce("update", 0)) end as "left",
        case when "update" > 0 and seconds > 0 then seconds / "update" end as own_pace
    from runs
),
paced as (
    select *, coalesce(
        own_pace,
        median(own_pace) over (partition by task, gap, cell, hidden_size),
        median(own_pace) over (partition by cell),
        median(own_pace) over ()
    ) as pace
    from own
)
"""


def results(study: Study) -> str:
    """Return a table of what was solved, of slope and of horizon, by task, gap and cell."""
    header = ["task", "gap", "cell", "solved", "solved at", "factor/step: start", "end", "horizon"]
    rows = []
    for task, gap, cell, runs, solved, diverged, unfinished, updates, start, end in study.sql(_RESULTS).fetchall():
        notes = "".join(f", {n} {what}" for n, what in ((diverged, "diverged"), (unfinished, "unfinished")) if n)
        at = "-" if updates is None else f"{updates:.0f}"
        rows.append([task, gap, cell, f"{solved}/{runs}{notes}", at, _factor(start), _factor(end), _horizon(end)])
    legend = "medians over runs; factor: of ||dL/dh_t|| for each step back from the answer; horizon: steps to 1/e"
    return f"{table(header, rows)}\n{legend}"


def states(study: Study) -> str:
    """Return a table of the states of runs and of the work done and left at most, by task, gap and cell."""
    header = ["task", "gap", "cell", "running", "interrupted", "failed", "solved", "unsolved", "diverged"]
    rows = []
    for *row, done, left, seconds in study.sql(PACED + _STATES).fetchall():
        rows.append([*row, f"{done:.0f}", f"{left:.0f}", "-" if seconds is None else duration(seconds)])
    return table([*header, "updates done", "left", "work left"], rows)


def _factor(slope: float | None) -> str:
    return "-" if slope is None or slope != slope else f"{factor_per_step(slope):.3g}"


def _horizon(slope: float | None) -> str:
    if slope is None or slope != slope:
        return "-"
    steps = float(horizon(slope))
    return "none" if steps == float("inf") else f"{steps:.4g}" if steps > 9.5 else f"{steps:.2g}"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table with columns as wide as need be; the first and the third one, names, stand left, others right."""
    text = [[str(value) for value in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in text) for column in range(len(header))]
    left = {0, 2}
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in text
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
