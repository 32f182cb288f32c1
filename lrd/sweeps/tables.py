"""Tables for the terminal, made from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrd.records import Study, holder
from lrd.stats import factor_per_step, horizon

# A row a (task, gap, cell): medians over runs; slopes of the first and the last look at dL/dh_t.
_RESULTS = """
with looks as (
    select run_id, arg_min(slope, "update") as slope_start, arg_max(slope, "update") as slope_end
    from gradient_fit where variable = 'h' group by run_id
)
select task, gap, coalesce(cast(cell_label as varchar), cell) as cell, count(*) as runs,
    count(*) filter (outcome = 'solved') as solved, count(*) filter (outcome = 'diverged') as diverged,
    count(*) filter (outcome is null) as unfinished,
    median(solved_at) filter (outcome = 'solved') as updates,
    median(slope_start) as slope_start, median(slope_end) as slope_end
from runs left join looks using (run_id) group by all order by task, gap, cell
"""
_STATES = """
select task, gap, coalesce(cast(cell_label as varchar), cell) as cell,
    count(*) filter (state = 'running') as running, count(*) filter (state = 'interrupted') as interrupted,
    count(*) filter (state = 'failed') as failed, count(*) filter (outcome = 'solved') as solved,
    count(*) filter (outcome = 'unsolved') as unsolved, count(*) filter (outcome = 'diverged') as diverged,
    sum("update") as done, sum(training_max_updates) filter (outcome is null) as left
from runs group by all order by task, gap, cell
"""


def results(study: Study) -> str:
    """Solved, slope and horizon by task, gap and cell."""
    header = ["task", "gap", "cell", "solved", "solved at", "factor/step: start", "end", "horizon"]
    rows = []
    for task, gap, cell, runs, solved, diverged, unfinished, updates, start, end in study.sql(_RESULTS).fetchall():
        notes = "".join(f", {n} {what}" for n, what in ((diverged, "diverged"), (unfinished, "unfinished")) if n)
        at = "-" if updates is None else f"{updates:.0f}"
        rows.append([task, gap, cell, f"{solved}/{runs}{notes}", at, _factor(start), _factor(end), _horizon(end)])
    legend = (
        "medians over runs; factor/step: what ||dL/dh_t|| is multiplied by for each step back from the answer;\n"
        "horizon: steps back until it has fallen to 1/e, of the slope at the end"
    )
    return f"{_table(header, rows)}\n{legend}"


def states(study: Study) -> str:
    """How many runs of each task, gap and cell are in what state."""
    header = ["task", "gap", "cell", "running", "interrupted", "failed", "solved", "unsolved", "diverged"]
    return _table(header, [list(row[:9]) for row in study.sql(_STATES).fetchall()])


def claims(study: Study) -> list[str]:
    """A line for each process that holds runs of the study, and whether it lives."""
    held: dict[str, list[str]] = {}
    for (run_id,) in study.sql("select run_id from runs where outcome is null").fetchall():
        if claim := holder(study.path / run_id):
            how = {True: "alive", False: "gone: the same command again takes over", None: "not to be seen from here"}
            held.setdefault(f"{claim.who}, {how[claim.alive]}", []).append(run_id)
    return [f"held: {len(ids)} run{'s' if len(ids) > 1 else ''} by {who}" for who, ids in sorted(held.items())]


def _factor(slope: float | None) -> str:
    return "-" if slope is None or slope != slope else f"{factor_per_step(slope):.3g}"


def _horizon(slope: float | None) -> str:
    if slope is None or slope != slope:
        return "-"
    steps = float(horizon(slope))
    return "none" if steps == float("inf") else f"{steps:.4g}" if steps > 9.5 else f"{steps:.2g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
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
