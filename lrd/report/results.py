"""Which runs solved their task: their share and the updates that it took, by task, gap and cell."""

from __future__ import annotations

from math import isinf, nan

import numpy as np

from lrd.records import Study
from lrd.report.runs import in_order, natural, rows
from lrd.report.table import Table, percent, plural, spelled, table, whole
from lrd.stats import kaplan_meier, median_time, solve_share, times_to_solve

_GROUPS = """
select panel, gap, label, list(state order by run_id), list(outcome order by run_id), list("update" order by run_id),
    list(solved_at order by run_id), list(max_updates order by run_id),
    min(seen_share), max(seen_share), max(seen_counted)
from named group by all
"""
_HEADER = (
    *("task", "gap", "cell", "runs", "solved", "share", "95 % interval", "median updates", "not solved"),
    "test sequences seen in training",
)


def results(study: Study) -> Table:
    """Return the share solved (Wilson's interval) and the Kaplan-Meier median of the updates to solve, by group.

    The last column is the expected share of test sequences that training had shown, from the least to the greatest of
    the runs, with ≥ where it was counted on a part of them.
    """
    lines = []
    for panel, gap, label, states, outcomes, *columns, seen, most, counted in in_order(rows(study, _GROUPS)):
        share = solve_share(states, outcomes)
        done, solved_at, given = (np.array([nan if v is None else v for v in column], float) for column in columns)
        median = median_time(kaplan_meier(*vars(times_to_solve(states, outcomes, done, solved_at, given)).values()))
        rest = {name: getattr(share, name) for name in ("unsolved", "diverged", "failed", "unfinished")}
        lines.append(
            (
                str(panel),
                spelled(gap),
                str(label),
                whole(share.count),
                whole(share.successes),
                percent(share.share),
                f"{percent(share.low)[:-2]}–{percent(share.high)}",
                "–" if isinf(median.median) else spelled(median.median),
                ", ".join(f"{whole(count)} {name}" for name, count in rest.items() if count),
                _seen(seen, most, counted is not None),
            )
        )
    return table("Runs that met the published criterion of their task", _HEADER, lines, (1, 3, 4, 5, 6, 7, 9))


def _seen(least: float | None, most: float | None, counted: bool) -> str:
    """Return a share of sequences in percent, or from which to which; ``–`` of records from before it was kept."""
    if least is None or most is None:
        return "–"
    low, high = (f"{100 * share:.0f}" for share in (least, most))
    return ("≥ " if counted else "") + (f"{high} %" if low == high else f"{low}–{high} %")


def headline(study: Study) -> str:
    """Return what the study holds in one sentence: runs, cells, tasks, seeds, and how the runs ended."""
    ((count, tasks, cells, seeds, states, outcomes),) = rows(
        study,
        """
        select count(*), list(distinct panel), list(distinct label), count(distinct seed),
            list(state), list(outcome) from named
        """,
    )
    tally = solve_share(states, outcomes)
    parts = [f"{whole(getattr(tally, name))} {name}" for name in ("unsolved", "diverged", "failed", "unfinished")]
    rest = ", ".join(part for part in parts if not part.startswith("0 "))
    return (
        f"{plural(count, 'run')} of {_some(cells, 'cell')} on {_some(tasks, 'task')}, with {plural(seeds, 'seed')}: "
        f"{whole(tally.successes)} solved" + (f", {rest}." if rest else ".")
    )


def _some(names: list[str], kind: str) -> str:
    """Return a number with names, ``2 cells (lstm, rnn)``; of many the number alone."""
    shown = sorted((str(name) for name in names if name is not None), key=natural)
    return plural(len(shown), kind) + (f" ({', '.join(shown)})" if len(shown) <= 12 else "")
