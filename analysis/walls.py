"""Walls: the largest gap that each cell gets over, and the critical gap, side by side.

    python analysis/walls.py runs/variants --out figures/

How to read it. One panel a task, one row a cell, with two answers to one question. Above, full, its wall: the mark
stands at the largest gap that at least half of the runs solved; a cell whose mark is missing solved no gap so often.
The bar runs from the largest gap at which the 95 % Wilson interval of the share solved lies wholly at or above one half
to the largest gap at which it still reaches one half: there the wall of many seeds would be found. A bar with an arrow
reaches the largest gap that was tried, and may go on; one without a left end begins below the smallest. Runs that
diverged, failed or never ended count as not solved. The thin ticks are the gaps that were tried: a wall is known no
better than they are apart.

Below, open, its critical gap: where a logistic curve through the shares solved, against the log of the gap, crosses one
half (Firth's regression). Its bar is a 95 % bootstrap interval over seeds, four at least; of five it covers 93 %. Where
no gap was solved by some seeds and not by others, the mark only lies between two gaps, and the bar between those that
are certain. It borrows from all gaps and so is known better than they are apart, if the curve is right. An arrow says
that it may lie beyond the gaps that were tried; where it does, there is no mark, and the CSV says 0 or inf.

From the table runs: state, outcome and seed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    FigureScript,
    LineStyle,
    NotMeasuredError,
    Table,
    drawn_from,
    gap_axis,
    groups,
    layout,
    line_styles,
    main,
    pages,
    plain,
    runs_of,
    save_figure,
    shortfall,
    span,
)
from lrd.stats import critical_gap, solve_share, wall

import numpy as np
from matplotlib.axes import Axes

BEYOND = 1.25  # how far a bar goes on past the gaps that were tried, as a factor
ARROW = BEYOND**0.6  # where its arrow stands
APART = 0.2  # of the wall and the critical gap of a cell from the middle of their row


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the walls of every task that a study has at more than one gap; return the files written."""
    runs = runs_of(study)
    several = [task for (task,), rows in groups(runs, "panel") if len(set(rows["gap"].tolist())) > 1]
    if not several:
        raise NotMeasuredError("no task of the study has more than one gap")
    runs = {name: column[np.isin(runs["panel"], several)] for name, column in runs.items()}
    drawn_from(runs, keys=("panel", "label"))  # the gap of its CSV is the wall
    shares: dict[tuple[str, str], dict[int, Any]] = {}
    for (panel, label, gap), rows in groups(runs, "panel", "label", "gap"):
        shares.setdefault((panel, label), {})[int(gap)] = solve_share(list(rows["state"]), list(rows["outcome"]))
    table = [
        {
            "panel": panel,
            "label": label,
            **vars(wall(of_gaps)),
            "least_tried": min(of_gaps),
            "runs": sum(share.count for share in of_gaps.values()),
            **_critical(runs, panel, label),
        }
        for (panel, label), of_gaps in shares.items()
    ]
    paths: list[Path] = []
    for page in pages(runs["panel"], [0] * len(runs["panel"])):
        tasks = [task for task, _ in page.rows]
        rows_of_page = [row for row in table if row["panel"] in tasks]
        paths += _page(page.suffix, tasks, rows_of_page, shares, runs, out)
    return paths


def _page(
    suffix: str,
    tasks: list[str],
    table: list[dict[str, Any]],
    shares: dict[tuple[str, str], dict[int, Any]],
    runs: Table,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    names = [name for name in styles if any(row["label"] == name for row in table)]
    columns = layout.across(min(len(tasks), PAGE_COLUMNS))
    height = 0.5 + 0.22 * len(names)
    figure, grid = layout.grid(-(-len(tasks) // columns), columns, height, sharey=True)
    panels = [axes for row in grid for axes in row]
    for axes in panels[len(tasks) :]:
        axes.axis("off")
    for axes, task in zip(panels, tasks, strict=False):
        gaps = sorted({gap for (panel, _), of_gaps in shares.items() if panel == task for gap in of_gaps})
        gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, BEYOND))
        for row in table:
            if row["panel"] == task:
                height_of_row = names.index(row["label"])
                _draw_wall(axes, height_of_row - APART, row, styles[row["label"]], gaps)
                _draw_critical(axes, height_of_row + APART, row, styles[row["label"]], gaps)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        counts = [share.count for (panel, _), of_gaps in shares.items() if panel == task for share in of_gaps.values()]
        layout.head(axes, task, f"{span(counts)} a gap")
    lost = shortfall({name: column[np.isin(runs["panel"], tasks)] for name, column in runs.items()})
    foot = (
        "Above, the wall: largest gap solved by half of the runs or more; bar: where the 95 % interval of that share "
        "holds 1/2. Below, open, the critical gap: where a logistic curve of the share solved crosses 1/2; bar: 95 % "
        "bootstrap over seeds."
    )
    layout.foot(figure, [foot + (f" Counted as not solved: {lost}." if lost else "")])
    return save_figure(figure, out, f"walls{suffix}", table)


def _draw_wall(axes: Axes, height: float, row: dict[str, Any], style: LineStyle, gaps: list[int]) -> None:
    """Draw the wall of one cell: its bar and mark."""
    if row["high"] is None:
        axes.text(
            row["least_tried"], height, "none", fontsize=layout.small(), color=layout.GREY, ha="center", va="center"
        )
        return
    left = gap_axis.edges(gaps, BEYOND)[0] if row["low"] is None else row["low"]
    axes.plot([left, row["high"]], [height, height], color=style.colour, linewidth=2.2, alpha=0.35, zorder=2)
    if row["high"] == row["tried"]:
        axes.plot([gap_axis.edges(gaps, ARROW)[1]], [height], marker=">", color=style.colour, alpha=0.5, markersize=3)
    if row["gap"] is not None:
        axes.plot([row["gap"]], [height], **style.points, linestyle="none", zorder=3)


def _critical(runs: Table, panel: str, label: str) -> dict[str, Any]:
    """Return the critical gap of a cell, as columns; NaN where it was run at a single gap above 0."""
    mine = (runs["panel"] == panel) & (runs["label"] == label)
    solved = (runs["state"] == "finished") & (runs["outcome"] == "solved")
    names = {"critical_gap": "gap", "critical_low": "low", "critical_high": "high", "critical_slope": "slope"}
    if len(set(runs["gap"][mine].tolist()) - {0}) < 2:
        return dict.fromkeys(names, np.nan)
    found = critical_gap(runs["gap"][mine], solved[mine], plain(runs["seed"])[mine])
    return {name: getattr(found, of) for name, of in names.items()}


def _draw_critical(axes: Axes, height: float, row: dict[str, Any], style: LineStyle, gaps: list[int]) -> None:
    """Draw the critical gap of one cell: its open mark and its bar."""
    low, high = row["critical_low"], row["critical_high"]
    if not np.isnan(low):
        first, last = gap_axis.edges(gaps, ARROW)
        ends = [low or first, min(high, last)]
        axes.plot(ends, [height, height], **style.line, linewidth=0.8, zorder=2)
        for end, at, beyond in zip(ends, (low, high), "<>", strict=True):
            marker = beyond if at in (0, np.inf) else "|"
            axes.plot([end], [height], color=style.colour, marker=marker, markersize=3, zorder=2)
    if 0 < row["critical_gap"] < np.inf:
        axes.plot(
            [row["critical_gap"]],
            [height],
            **style.points,
            markerfacecolor="white",
            linestyle="none",
            zorder=3,
        )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
