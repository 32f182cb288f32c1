"""After how many updates runs solve the task: Kaplan-Meier curves, a line a cell.

    python analysis/survival.py runs/gap_wall --out figures/

How to read it. One panel a task and gap. A line is the share of all runs begun that have solved the task by an update,
1 minus the Kaplan-Meier estimate, from runs that went on for unequally long; its mark, near its end, names the cell
in grey, too. Bands are pointwise 95 % intervals (log-log Greenwood), for each update by itself, not for a line as a
whole, drawn from the first run that solved it on. Where more than three cells share a panel they would hide each other,
and stand in the CSV alone. A small upright tick is a run that was given up there unsolved. Runs that diverged will
never solve the task, so they count as unsolved to the last update they would have been given; runs that failed or never
ended count up to where they stopped.

The p of a panel is that of the log-rank test between all its cells, corrected by Holm's method for the number of panels
of the study; ``survival_pairs.csv`` has every two cells of a panel, corrected for all pairs. The CSV holds a row for
each step of a line, and the median updates to solve with their interval (inf: half have not solved it yet).

From the table runs: outcome, update, solved_at and the updates that a run was given.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

from lrd.figures import (
    Array,
    FigureScript,
    LineStyle,
    NothingToDrawError,
    Page,
    Table,
    facet,
    groups,
    in_order,
    layout,
    line_styles,
    main,
    pages,
    plain,
    pooling,
    runs_of,
    save_figure,
    save_table,
    shortfall,
    span,
)
from lrd.stats import Survival, holm, kaplan_meier, logrank, median_time, times_to_solve

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

DODGE = 0.035  # between marks at one height, as a share of the axis
LAST = 0.02  # how far a line goes on past its last step, likewise

Curves = dict[tuple[str, int, str], Survival]


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the curves of every task and gap of a study; return the files written."""
    runs = runs_of(study)
    runs |= _times(study, runs)
    if not runs["time"].any():
        raise NothingToDrawError("no run has done an update yet")
    curves: Curves = {
        (panel, int(gap), label): kaplan_meier(rows["time"], rows["event"])
        for (panel, gap, label), rows in groups(runs, "panel", "gap", "label")
    }
    p = _tested(runs)
    paths: list[Path] = []
    for page in pages(runs["panel"], runs["gap"]):
        paths += _page(page, curves, p, runs, out)
    pairs = _pairs(runs)
    return paths + (save_table(out, "survival_pairs", pairs) if pairs else [])


def _times(study: Any, runs: Table) -> Table:
    """Return ``time`` and ``event`` [runs]: updates observed, and whether it solved the task then."""
    known = study.columns("select * from runs limit 0")
    given = "coalesce(training_max_updates, max_updates)" if "training_max_updates" in known else "max_updates"
    rows = study.columns(f'select run_id, "update" as done, solved_at, {given} as given from runs')
    place = {run_id: at for at, run_id in enumerate(rows["run_id"])}
    at = np.array([place[run_id] for run_id in runs["run_id"]])
    done, solved_at, horizon = (plain(rows[name])[at] for name in ("done", "solved_at", "given"))
    found = times_to_solve(list(runs["state"]), list(runs["outcome"]), done, solved_at, horizon)
    return {"time": found.updates, "event": found.solved}


def _tested(runs: Table) -> dict[tuple[str, int], float]:
    """Return p of the log-rank test between all labels of each panel and gap, after Holm over these."""
    places, p = [], []
    for (panel, gap), rows in groups(runs, "panel", "gap"):
        places.append((panel, int(gap)))
        p.append(logrank(rows["time"], rows["event"], list(rows["label"])).p)
    return dict(zip(places, holm(p).tolist(), strict=True))


def _pairs(runs: Table) -> list[dict[str, Any]]:
    """Return a row for every two labels of a panel and gap."""
    table = []
    for (panel, gap), rows in groups(runs, "panel", "gap"):
        for first, second in combinations(in_order(rows["label"]), 2):
            two = np.isin(rows["label"], [first, second])
            found = logrank(rows["time"][two], rows["event"][two], list(rows["label"][two]))
            row = {"panel": panel, "gap": int(gap), "first": first, "second": second}
            table.append(row | {"chi2": found.statistic, "p": found.p})
    corrected = holm([row["p"] for row in table])
    return [row | {"p_holm": p} for row, p in zip(table, corrected, strict=True)]


def _page(page: Page, curves: Curves, p: dict[tuple[str, int], float], runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(len(page.rows), page.columns, 1.6, sharey=True)
    handles: dict[str, Any] = {}
    table: list[dict[str, Any]] = []
    crowded = False
    for line, (task, gaps) in zip(grid, page.rows, strict=True):
        for axes in line[len(gaps) :]:
            axes.axis("off")
        for axes, gap in zip(line, gaps, strict=False):
            mine = {label: curve for (panel, T, label), curve in curves.items() if (panel, T) == (task, gap)}
            end = max(curve.updates[-1] for curve in mine.values())
            crowded |= len(mine) > facet.MOST
            alike: Counter[float] = Counter()  # marks at one height stand beside each other
            for label, curve in mine.items():
                height = float(curve.unsolved[-1])
                mark = end * (1 - DODGE * alike[height])
                handles[label] = _draw(axes, curve, styles[label], end, mark, len(mine) <= facet.MOST)
                alike[height] += 1
                table += _rows({"panel": task, "gap": gap, "label": label}, curve)
            axes.set_xlim(0, (1 + 2 * LAST) * end)
            note = [span([curve.count for curve in mine.values()]), _in_words(p[task, gap])]
            layout.head(axes, f"{task}, $T$ = {gap}", ", ".join(part for part in note if part))
        line[0].set_ylabel("solved by then")
    for axes in grid[-1]:
        axes.set_xlabel("updates")
    grid[0][0].set_ylim(-0.06, 1.06)
    grid[0][0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    names = in_order(handles)
    layout.legend(figure, [handles[name] for name in names], names)
    layout.foot(figure, [_note({n: column[_on(page, runs)] for n, column in runs.items()}, len(p), crowded)])
    return save_figure(figure, out, f"survival{page.suffix}", table)


def _on(page: Page, runs: Table) -> Array:
    return np.array([(panel, int(gap)) in page for panel, gap in zip(runs["panel"], runs["gap"], strict=True)])


def _draw(axes: Axes, curve: Survival, style: LineStyle, end: float, mark: float, band: bool) -> Line2D:
    """Draw one line with its mark near the end; return its handle."""
    watched = (
        end if curve.unsolved[-1] == 0 else curve.updates[-1]
    )  # once all have solved it, nothing is left to happen
    updates = np.append(curve.updates, watched + LAST * end)  # so that its last step is to be seen
    solved, low, high = (1 - np.append(s, s[-1]) for s in (curve.unsolved, curve.high, curve.low))
    if band:
        first = int(
            (curve.solved > 0).argmax()
        )  # bands before it would be all alike; 0 where nothing was solved at all
        places = slice(first, None)
        axes.fill_between(
            updates[places],
            low[places],
            high[places],
            step="post",
            color=style.colour,
            alpha=0.18,
            linewidth=0,
            zorder=1,
        )
    axes.plot(updates, solved, drawstyle="steps-post", **style.line, linestyle=style.dashes, zorder=3)
    given_up = (curve.censored > 0) & (curve.updates < end)
    axes.plot(
        curve.updates[given_up],
        1 - curve.unsolved[given_up],
        color=style.colour,
        linestyle="none",
        marker="|",
        markersize=5,
        markeredgewidth=0.8,
        zorder=4,
    )
    mark = min(mark, float(watched))
    height = float(solved[np.searchsorted(updates, mark, side="right") - 1])
    axes.plot([mark], [height], **style.points, zorder=4)
    return Line2D([], [], **style.points, linestyle=style.dashes)


def _rows(names: dict[str, Any], curve: Survival) -> list[dict[str, Any]]:
    middle = median_time(curve)
    of_curve = {"runs": curve.count, "median": middle.median, "median_low": middle.low, "median_high": middle.high}
    return [
        names
        | {"update": update, "solved": 1 - s, "low": 1 - high, "high": 1 - low}
        | {"at_risk": n, "events": d, "censored": c}
        | of_curve
        for update, s, low, high, n, d, c in zip(
            curve.updates,
            curve.unsolved,
            curve.low,
            curve.high,
            curve.at_risk,
            curve.solved,
            curve.censored,
            strict=True,
        )
    ]


def _in_words(p: float) -> str:
    """Return ``p = 0.012``; empty where there was nothing to test."""
    return "" if np.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _note(runs: Table, tests: int, crowded: bool) -> str:
    bands = " (in the CSV alone where cells are many)" if crowded else ""
    corrected = f", after Holm for {tests} panels" if tests > 1 else ""
    lost = shortfall(runs)
    return (
        f"Lines: share solved, 1 − Kaplan-Meier; bands{bands}: pointwise 95 % intervals; ticks: runs given up."
        + f" p: log-rank test between the cells of a panel{corrected}."
        + (f" Among the runs: {lost}." if lost else "")
        + pooling(runs)
    )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
