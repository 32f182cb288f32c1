"""Leading Lyapunov exponent against the fitted rate of the gradient flow, one point a run: do the two agree?

    python analysis/lyapunov_slope.py runs/demo --out figures/

How to read it. One panel a task and gap. To the right runs the rate at which the gradient of one answer's loss grows
with each step back, fitted over the quiet steps of the gap; up runs the leading Lyapunov exponent along the task's own
inputs, of the same run at the same update; both in nats a step, with one standard error to either side (over samples;
for the exponent the larger of those over samples and over time). Open points stand before training, filled ones at its
end. Below and left of 0 things vanish, above and right they explode.

On the line the two agree, as they must in the long run: the product of the same Jacobians, read from either end. Off
the line the gap is too short for its slope, the answer's gradient lies in a direction of its own, or the inputs of the
gap are other than those of the whole sequence. A network of several layers has a point for each, paler from layer to
layer (hollow lines: it reads backward); below the last one the gradient also arrives from above. Of a cell with several
state variables the gradient is that of c.

Ends are drawn of runs that came to an end. The note of a panel is the median over its points of the exponent minus the
rate. Where one of the two is no number (a gradient of exactly 0, a state that left the range of floats) there is no
point, and the line under the figure counts them.

From the tables gradient_fit and lyapunov, of the probe of that name.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    LineStyle,
    NothingToDrawError,
    Page,
    PartLabel,
    Table,
    drawn_from,
    groups,
    join_runs,
    layout,
    line_styles,
    main,
    pages,
    plain,
    runs_of,
    save_figure,
)
from lrd.figures.label_legend import label_entries
from lrd.figures.start_and_end import KEEPING, absent, need_probe, rows_at
from lrd.stats import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

NATS = np.log(10.0)
COLUMNS = (
    "panel",
    "gap",
    "label",
    "seed",
    "run_id",
    "moment",
    "variable",
    "rate",
    "rate_error",
    "exponent",
    "exponent_error",
)


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw exponents against rates of a study; return the files written."""
    need_probe(study, "lyapunov")
    runs = runs_of(study)
    rows = join_runs(_points(study), runs)
    if not len(rows["run_id"]):
        raise NothingToDrawError("no finished run has a gradient flow and Lyapunov exponents of one update")
    there = np.isfinite(rows["rate"]) & np.isfinite(rows["exponent"])
    drawn_from(runs, {"run": rows["run"][there]})
    paths: list[Path] = []
    for page in pages(rows["panel"], rows["gap"]):
        paths += _page(page, rows, runs, out)
    return paths


def _points(study: Any) -> Table:
    """Return rate, exponent and their standard errors, in nats a step, of each finished run at its start and end."""
    both = f"""(
        select run_id, update, layer, direction, variable, slope, slope_error, exponent, standard_error
        from gradient_fit join lyapunov using (run_id, update, layer, direction)
        where mode = 'driven' and "index" = 1 {KEEPING}
    )"""
    rows = rows_at(study, both, "layer, direction, variable, slope, slope_error, exponent, standard_error")
    return {
        "run_id": rows["run_id"],
        "moment": rows["moment"],
        **{name: rows[name] for name in ("layer", "direction", "variable")},
        "rate": -NATS * plain(rows["slope"]),
        "rate_error": NATS * plain(rows["slope_error"]),
        "exponent": plain(rows["exponent"]),
        "exponent_error": plain(rows["standard_error"]),
    }


def _page(page: Page, rows: Table, runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(len(page.rows), page.columns, 2.3)
    there = np.isfinite(rows["rate"]) & np.isfinite(rows["exponent"])
    shown = {name: column[there] for name, column in rows.items()}
    table: list[dict[str, object]] = []
    for line, (task, gaps) in zip(grid, page.rows, strict=True):
        line[0].set_ylabel("leading exponent (nats a step)")
        for axes in line[len(gaps) :]:
            axes.axis("off")
        for axes, gap in zip(line, gaps, strict=False):
            mine = {name: column[(shown["panel"] == task) & (shown["gap"] == gap)] for name, column in shown.items()}
            of_moment = dict(groups(mine, "moment", "label"))
            for moment, label in sorted(of_moment, reverse=True):  # filled points on top
                _draw_points(axes, of_moment[moment, label], styles[label], moment)
            table += [
                dict(zip(COLUMNS, row, strict=True)) for row in zip(*(mine[name] for name in COLUMNS), strict=True)
            ]
            _draw_lines(axes, mine)
            last = np.array([not isinstance(label, PartLabel) or label.is_last for label in mine["label"]], dtype=bool)
            apart = float(median((mine["exponent"] - mine["rate"])[last]))
            of_last = "" if last.all() else " (last layer)"
            layout.head(
                axes,
                f"{task}, $T$ = {gap}",
                f"exponent − rate: {apart:+.2g}{of_last}".replace("-", "−") if last.any() else "no point",
            )
    for axes in grid[-1]:
        axes.set_xlabel("rate of the gradient (nats a step)")
    layout.legend(figure, *_legend(shown, styles))
    lost = int((~there & np.array([panel in page for panel in zip(rows["panel"], rows["gap"], strict=True)])).sum())
    without = f" Without a point: {lost} measurements with a rate or exponent that is no number." if lost else ""
    layout.foot(figure, ["Bars: one standard error." + absent(runs, rows["run_id"]) + without])
    return save_figure(figure, out, f"lyapunov_slope{page.suffix}", table or [dict.fromkeys(COLUMNS)])


def _draw_points(axes: Axes, points: Table, style: LineStyle, moment: str) -> None:
    axes.errorbar(
        points["rate"],
        points["exponent"],
        xerr=points["rate_error"],
        yerr=points["exponent_error"],
        linestyle="none",
        **style.points,
        markerfacecolor=style.colour if moment == "end" else "white",
        elinewidth=0.6,
        zorder=3,
    )


def _draw_lines(axes: Axes, points: Table) -> None:
    """Draw the line on which the two agree, and those of no growth; both axes show the same range."""
    both = np.concatenate([points["rate"], points["exponent"], [0.0]])
    low, high = both.min(), both.max()
    room = 0.08 * (high - low) or 0.1
    limits = (low - room, high + room)
    axes.set(xlim=limits, ylim=limits)
    for at_zero in (axes.axhline, axes.axvline):
        at_zero(0, color="0.25", linewidth=0.6, zorder=1.5)
    axes.plot(limits, limits, color="0.6", linewidth=1.2, zorder=1.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _legend(rows: Table, styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    entries = label_entries(rows["label"], styles, linestyle="none")
    for moment, name in (("init", "before training"), ("end", "after training")):
        if moment in rows["moment"]:
            face = "0.25" if moment == "end" else "white"
            mark = Line2D([], [], color="0.25", marker="o", markerfacecolor=face, linestyle="none")
            entries.append((mark, name))
    entries.append((Line2D([], [], color="0.6", linewidth=1.2), "equal"))
    return [handle for handle, _ in entries], [name for _, name in entries]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
