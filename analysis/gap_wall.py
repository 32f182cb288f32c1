"""Share of runs that solved the task, against the gap: where each cell hits its wall.

    python analysis/gap_wall.py runs/gap_wall --out figures/

How to read it. One panel a task, one line a cell. A point is the share of all runs begun at that gap that met the
task's published criterion; the bar is its 95 % Wilson interval. With 5 runs even 5 of 5 reaches down to 57 %: cells
differ where bars do not overlap, not where points do. Runs that diverged, failed or never ended count as not solved,
and the line under the figure says how many they are. Points are moved sideways a little where they would hide
each other. The CSV holds every point with what became of its runs.

From the table runs: state and outcome.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    FigureScript,
    Table,
    gap_axis,
    groups,
    in_order,
    layout,
    line_styles,
    main,
    pages,
    pooling,
    runs_of,
    save_figure,
    shortfall,
    span,
)
from lrd.stats import solve_share

import numpy as np
from matplotlib.ticker import PercentFormatter

DODGE, SPREAD = 0.035, 0.16  # shift of neighbouring labels, and of the first from the last at most: shares of the axis
MARGIN = 0.03  # beyond the outermost label, likewise


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the wall of every task of a study; return the files written."""
    runs = runs_of(study)
    table = [
        {
            "panel": panel,
            "label": label,
            "gap": int(gap),
            **vars(solve_share(list(rows["state"]), list(rows["outcome"]))),
        }
        for (panel, label, gap), rows in groups(runs, "panel", "label", "gap")
    ]
    paths: list[Path] = []
    for page in pages(runs["panel"], [0] * len(runs["panel"])):
        tasks = [task for task, _ in page.rows]
        paths += _page(page.suffix, tasks, [row for row in table if row["panel"] in tasks], runs, out)
    return paths


def _page(suffix: str, tasks: list[str], table: list[dict[str, Any]], runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    columns = layout.across(min(len(tasks), PAGE_COLUMNS))
    figure, grid = layout.grid(-(-len(tasks) // columns), columns, 1.8, sharey=True)
    handles: dict[str, Any] = {}
    panels = [axes for row in grid for axes in row]
    for axes in panels[len(tasks) :]:
        axes.axis("off")
    for axes, task in zip(panels, tasks, strict=False):
        rows = [row for row in table if row["panel"] == task]
        gaps = sorted({row["gap"] for row in rows})
        labels = in_order(row["label"] for row in rows)
        margin = SPREAD / 2 + MARGIN if len(gaps) > 1 else DODGE * max(4, len(labels))
        low, high = (float(gap_axis.aside(gaps, gap, side * margin)) for gap, side in ((gaps[0], -1), (gaps[-1], 1)))
        gap_axis.lay_out(axes, gaps, low, high)
        for index, label in enumerate(labels):
            mine = [row for row in rows if row["label"] == label]
            style = styles[label]
            rank = (index - (len(labels) - 1) / 2) * min(1, SPREAD / DODGE / len(labels))
            place = gap_axis.aside(gaps, [row["gap"] for row in mine], rank * DODGE)
            shares = np.array([row["share"] for row in mine])
            bars = [shares - [row["low"] for row in mine], [row["high"] for row in mine] - shares]
            handles[label] = axes.errorbar(
                place,
                shares,
                bars,
                **style.points,
                linestyle=style.dashes,
                label=label,
                elinewidth=0.8,
                capsize=1.5,
                zorder=3,
            )
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        layout.head(axes, task, f"{span([row['count'] for row in rows])} a point")
    for row in grid:
        row[0].set_ylabel("runs that solved it")
    names = in_order(handles)
    layout.legend(figure, [handles[name] for name in names], names)
    inside = {name: column[np.isin(runs["panel"], tasks)] for name, column in runs.items()}
    lost = shortfall(inside)
    text = "Bars: 95 % Wilson intervals." + (f" Counted as not solved: {lost}." if lost else "")
    layout.foot(figure, [text + pooling(inside)])
    return save_figure(figure, out, f"gap_wall{suffix}", table)


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
