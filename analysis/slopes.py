"""Slope of the gradient flow against the gap: does what a cell loses in each step back depend on how far it must reach?

    python analysis/slopes.py runs/gap_wall --out figures/

How to read it. One column a task, or a task and cell where networks have several layers, a line each: above before
training, below after it. A point is the median over seeds of the factor by which the norm of dL/dh_t (dL/dc_t, where
the cell has a c) changes for each step back from the answer, from the straight line that was fitted over the quiet
steps of the gap; its bar is a 95 % interval of that median (order statistics), which with fewer than 6 seeds covers
less (``attainable`` in the CSV): from the least to the greatest seed. Points are moved sideways a little where they
would hide each other. In the grey stripe, between 1/e and e times of the gradient are left over all of the gap; below,
it vanishes; above, it explodes.

Lines are Theil-Sen's, through all runs of a cell: log10 of the factor against log10 of the gap. The fan around a line,
drawn where cells are few, is Sen's 95 % interval of its slope, turned about the median gap; there is none where the
runs are too few for the level. It takes runs for independent of each other: seeds that begin with the same weights at
every gap are not, which makes the interval wide rather than narrow (simulated, five seeds at four gaps without a
trend: it covers 95 % of independent runs, and 99 % where the seed makes half of the variance). A cell whose fan holds
the level loses the same in each step whatever the gap; one that learned to reach across comes closer to 1 as gaps
grow.

Of finished runs; one without a fit (no quiet step, a gradient of exactly 0) is counted under the figure and in the
CSV.

From the table gradient_fit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    Array,
    FigureScript,
    LineStyle,
    NothingToDrawError,
    NotMeasuredError,
    PartLabel,
    Table,
    drawn_from,
    drawn_over,
    facet,
    gap_axis,
    groups,
    in_files,
    in_order,
    join_runs,
    layout,
    line_styles,
    main,
    plain,
    pooling,
    runs_of,
    save_figure,
    span,
    whole_of,
)
from lrd.figures.label_legend import label_entries
from lrd.figures.start_and_end import KEEPING, absent, rows_at
from lrd.stats import factor_per_step, median, median_interval, robust_slope

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

MOMENTS = {"init": "before training", "end": "after training"}
DODGE, SPREAD = 0.04, 0.14  # shift of neighbouring labels, and of the first from the last at most: shares of the axis
BEYOND = 1.2  # how far the axis of gaps goes on, as a factor
LOWEST = 1e-3  # factor per step back at which the axis ends at most; the CSV has all
TICKS = {  # of axes that span so many times their least factor, at most
    3: (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2),
    15: (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7),
    np.inf: (0.001, 0.01, 0.1, 1, 10, 100, 1000),
}

Place = tuple[str, str]  # panel, moment
Column = tuple[str, str, list[str]]  # panel, the cell if it is alone, labels


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the slopes of every task that a study has at more than one gap; return the files written."""
    runs = runs_of(study)
    several = [task for (task,), rows in groups(runs, "panel") if len(set(rows["gap"].tolist())) > 1]
    if not several:
        raise NotMeasuredError("no task of the study has more than one gap")
    fits = rows_at(study, f"(select * from gradient_fit {KEEPING})", "layer, direction, variable, slope")
    rows = join_runs(fits, runs)
    drawn_from(runs, rows)
    rows["log10_factor"] = -plain(rows["slope"])
    there = np.isfinite(rows["log10_factor"])
    chosen = np.isin(rows["panel"], several)
    if not (there & chosen).any():
        raise NothingToDrawError("no finished run has a slope of its gradient flow")
    rows = {name: column[chosen] for name, column in rows.items()}
    runs = {name: column[np.isin(runs["panel"], several)] for name, column in runs.items()}
    paths: list[Path] = []
    for suffix, columns in in_files(_columns(rows, several), layout.across(PAGE_COLUMNS)):
        styles = line_styles(runs["label"])
        tasks = [task for task, *_ in columns]
        paths += _page(suffix, columns, _of(rows, tasks), _of(runs, tasks), styles, out)
    return paths


def _columns(rows: Table, tasks: list[str]) -> list[Column]:
    """Return the columns of panels: one a task, or one a task and cell where networks have several layers."""
    found: list[Column] = []
    for task in tasks:
        labels = in_order(rows["label"][rows["panel"] == task])
        deep = any(isinstance(label, PartLabel) for label in labels)
        found += [(task, name, alike) for name, alike in (facet.together(labels) if deep else [("", labels)])]
    return found


def _of(table: Table, tasks: list[str]) -> Table:
    return {name: column[np.isin(table["panel"], tasks)] for name, column in table.items()}


def _page(
    suffix: str, columns: list[Column], rows: Table, runs: Table, styles: dict[str, LineStyle], out: Path
) -> list[Path]:
    figure, grid = layout.grid(len(MOMENTS), len(columns), 1.9, sharex="col", sharey=True)
    table: list[dict[str, Any]] = []
    drawn: list[str] = []
    for line, (moment, words) in zip(grid, MOMENTS.items(), strict=True):
        for axes, (task, name, labels) in zip(line, columns, strict=True):
            here = (rows["panel"] == task) & (rows["moment"] == moment) & np.isin(rows["label"].astype(str), labels)
            mine = {key: column[here] for key, column in rows.items()}
            drawn += labels
            points = _points((task, moment), mine, runs)
            _draw(axes, points, styles)
            axes.set_xlabel("")
            title = f"{name}: " * bool(name) + f"{task}, {words}"
            layout.head(axes, title, span([p["fits"] for p in points]) if points else "no fit")
            table += points
        line[0].set_ylabel("factor per step back")
    for axes, (task, *_) in zip(grid[-1], columns, strict=True):  # those of both moments
        gaps = sorted({row["gap"] for row in table if row["panel"] == task})
        if gaps:
            gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, BEYOND))
    _factors(grid[0][0], table)
    entries = label_entries(drawn, styles, dashed=True)
    entries.append((Patch(facecolor="0.9", edgecolor="none"), "preserved over the gap"))
    layout.legend(figure, [handle for handle, _ in entries], [name for _, name in entries])
    layout.foot(figure, [_note(rows, runs, table)])
    return save_figure(figure, out, f"slopes{suffix}", table)


def _points(place: Place, rows: Table, runs: Table) -> list[dict[str, Any]]:
    """Return a row of the CSV for every label and gap, with the line of its label."""
    found = []
    for (label,), of_label in groups(rows, "label"):
        gap, rate = of_label["gap"].astype(float), of_label["log10_factor"]
        inside = np.isfinite(rate) & (gap > 0)  # of runs without a gap there is no logarithm
        line = robust_slope(np.log10(gap[inside]), rate[inside])
        through = float(median(rate[inside] - line.slope * np.log10(gap[inside]))) if line.count else np.nan
        for (at,), group in groups(of_label, "gap"):
            begun = (runs["panel"] == place[0]) & (runs["label"] == whole_of(label)) & (runs["gap"] == at)
            values = group["log10_factor"]
            middle = median_interval(np.where(np.isfinite(values), values, np.nan))
            ends = (middle.estimate, middle.low, middle.high)
            factors = dict(zip(("factor", "low", "high"), map(float, factor_per_step(-np.array(ends))), strict=True))
            found.append(
                {"panel": place[0], "moment": place[1], "label": label, "gap": int(at)}
                | {"variable": group["variable"][0]}
                | factors
                | {
                    "fits": middle.count,
                    "without_fit": int(begun.sum()) - middle.count,
                    "attainable": middle.attainable,
                }
                | {"trend": line.slope, "trend_low": line.low, "trend_high": line.high, "trend_at_1": through}
                | {"trend_runs": line.count, "middle_gap": float(median(gap[inside]))}
            )
    return found


def _draw(axes: Axes, points: list[dict[str, Any]], styles: dict[str, LineStyle]) -> None:
    """Draw the points, bars and lines of one panel, and the stripe in which the gradient is preserved."""
    axes.set_yscale("log")
    if not points:
        return
    gaps = sorted({point["gap"] for point in points})
    gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, BEYOND))
    across = gap_axis.between(gaps, *gap_axis.edges(gaps, BEYOND), 60)
    kept = 1 / np.maximum(across, 0.02)  # far beyond the axis: over a gap of 0 all is preserved
    axes.fill_between(across, np.exp(-kept), np.exp(kept), color="0.9", linewidth=0, zorder=0.5)
    labels = in_order(point["label"] for point in points)
    step = min(DODGE, SPREAD / len(labels))
    for index, label in enumerate(labels):
        mine, style = [point for point in points if point["label"] == label], styles[label]
        place, factor, low, high = (
            np.array([p[name] for p in mine], float) for name in ("gap", "factor", "low", "high")
        )
        place = gap_axis.aside(gaps, place, (index - (len(labels) - 1) / 2) * step)
        bars = np.nan_to_num([factor - low, high - factor])
        axes.errorbar(
            place, factor, bars, **style.points, linestyle="none", elinewidth=0.8, capsize=1.5,
            zorder=3,
        )  # fmt: skip
        along = [point["gap"] for point in mine if point["gap"] > 0]
        if along:
            _draw_line(axes, mine[0], style, np.geomspace(along[0], along[-1], 20), len(labels) <= facet.MOST)


def _draw_line(axes: Axes, of_label: dict[str, Any], style: LineStyle, gaps: Array, fan: bool) -> None:
    """Draw Theil-Sen's line over the gaps of a label, with the interval of its slope if ``fan``."""
    slope, middle = of_label["trend"], of_label["middle_gap"]
    axes.plot(
        gaps,
        10 ** (of_label["trend_at_1"] + slope * np.log10(gaps)),
        **style.line,
        linestyle=style.dashes,
        linewidth=1.0,
        zorder=2,
    )
    if not fan or np.isnan(of_label["trend_low"]):
        return
    at_middle = of_label["trend_at_1"] + slope * np.log10(middle)
    turned = [at_middle + of_label[name] * np.log10(gaps / middle) for name in ("trend_low", "trend_high")]
    low, high = np.minimum(*turned), np.maximum(*turned)
    axes.fill_between(gaps, 10**low, 10**high, color=style.colour, alpha=0.15, linewidth=0, zorder=1)


def _factors(axes: Axes, table: list[dict[str, Any]]) -> None:
    """Lay out the axis of factors, with ticks as its range needs them; 1 is always on it."""
    ends = np.array([[row["factor"], row["low"], row["high"]] for row in table], float)
    known = np.clip(ends[np.isfinite(ends) & (ends > 0)], LOWEST, 1 / LOWEST)
    low, high = min(known.min(initial=1) / 1.15, 0.85), max(known.max(initial=1) * 1.15, 1.15)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(next(ticks for most, ticks in TICKS.items() if high / low <= most)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _note(rows: Table, runs: Table, table: list[dict[str, Any]]) -> str:
    without = sum(int((~np.isfinite(rows["log10_factor"]) & (rows["moment"] == moment)).sum()) for moment in MOMENTS)
    least = min((row["fits"] for row in table), default=0)
    bars = "95 % intervals (order statistics)" + (" (less where seeds are fewer than 6)" if least < 6 else "")
    return (
        f"Points: median over {drawn_over(runs)}; bars: {bars}; lines: Theil-Sen over gaps, with Sen's 95 % "
        "interval of their slope where cells are few and runs enough."
        + absent(runs, rows["run_id"])
        + (f" Without a fit: {without} measurements." if without else "")
        + pooling(runs)
    )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
