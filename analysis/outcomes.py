"""Share of runs that solved the task, and that diverged, against an option that was swept: what the option decides.

    python analysis/outcomes.py runs/clipping --out figures/

How to read it. The option is the number that the study sweeps beside gap and seed, such as the gain of W: the one with
most values, three at least. Two panels a task and gap, and whatever else was swept, stand in a column: above, the share
of all runs begun that met the task's published criterion; below, the share whose loss or gradient left the range of
floats. Runs that did neither are what is missing to 1. Bars are 95 % Wilson intervals; points are moved sideways a
little where they would hide each other. Labels differ where bars do not overlap, not where points do. Runs that failed
or never ended count among all runs begun, and the line under the figure says how many they are.

From the table runs: state, outcome and the options of each run.
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
    NotMeasuredError,
    Table,
    drawn_from,
    groups,
    in_files,
    in_order,
    layout,
    line_styles,
    main,
    natural,
    plain,
    runs_of,
    save_figure,
    shortfall,
    span,
)
from lrd.figures.swept_options import spelled, swept
from lrd.records.display_names import NETWORK, split_network
from lrd.stats import share

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

OF_NETWORK = {name.replace("_", ".", 1) for name in NETWORK}  # options that labels may say
FEWEST = 3  # values of an option, to draw a line against it
DODGE = 0.012  # shift of neighbouring labels, as a share of the axis
OUTCOMES = {"solved": "solved it", "diverged": "diverged"}

Column = tuple[str, int, str]  # panel, gap, what else was swept and its values


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw what became of the runs of a study in which a number was swept; return the files written."""
    runs, option = _against(study, runs_of(study))
    drawn_from(runs)
    columns = sorted(
        set(zip(runs["panel"], runs["gap"].tolist(), runs["setting"], strict=True)),
        key=lambda column: (column[0], column[1], natural(column[2])),
    )
    paths: list[Path] = []
    for suffix, block in in_files(columns, layout.across(PAGE_COLUMNS)):
        paths += _page(suffix, block, runs, option, out)
    return paths


def _against(study: Any, runs: Table) -> tuple[Table, str]:
    """Return the runs with ``value``, of the option to draw against, and ``setting``, of the others; and its name."""
    order = {run_id: place for place, run_id in enumerate(runs["run_id"])}
    rows = study.columns("select * from runs")
    at = np.argsort([order[run_id] for run_id in rows["run_id"]])
    rows = {name: column[at] for name, column in rows.items()}
    # Where the axis says of the network what labels say, they need not.
    cells = runs | {"label": np.array([split_network(label)[0] for label in runs["label"]], dtype=object)}
    chosen, options = _option(rows, cells)
    if chosen in OF_NETWORK:
        runs = cells
    else:
        chosen, options = _option(rows, runs)
    if not chosen:
        raise NotMeasuredError(f"no number beside gap and seed was swept over {FEWEST} values or more")
    others = [[f"{name} = {spelled(one)}" for one in options[name]] for name in options if name != chosen]
    settings = [", ".join(parts) for parts in zip(*others, strict=True)] if others else [""] * len(runs["label"])
    return runs | {"value": plain(options[chosen]), "setting": np.array(settings, dtype=object)}, chosen


def _option(rows: Table, runs: Table) -> tuple[str, dict[str, Array]]:
    """Return the number that was swept over most values, empty if over few, and all options that were swept."""
    options = swept(rows, list(zip(runs["panel"], runs["gap"], runs["label"], strict=True)))
    numbers = {name: plain(column) for name, column in options.items() if column.dtype.kind in "iuf"}
    values = {name: len(np.unique(column[~np.isnan(column)])) for name, column in numbers.items()}
    chosen = max(sorted(values), key=lambda name: values[name], default="")
    return (chosen if values.get(chosen, 0) >= FEWEST else ""), options


def _page(suffix: str, columns: list[Column], runs: Table, option: str, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(len(OUTCOMES), len(columns), 1.5, sharex="col", sharey=True)
    shown = np.isin(np.arange(len(runs["label"])), np.concatenate([_of(column, runs) for column in columns]))
    handles: dict[str, Any] = {}
    table: list[dict[str, Any]] = []
    for place, column in enumerate(columns):
        mine = {name: values[_of(column, runs)] for name, values in runs.items()}
        for axes, outcome in zip((row[place] for row in grid), OUTCOMES, strict=True):
            points = [_point(column, option, key, outcome, rows) for key, rows in groups(mine, "label", "value")]
            points = [point for point in points if not np.isnan(point["value"])]
            handles |= _draw(axes, points, styles)
            table += points
        panel, gap, setting = column
        title = f"{panel}, $T$ = {gap}" + (f"\n{setting}" if setting else "")
        layout.head(grid[0][place], title, span([point["count"] for point in points]) if points else "")
        grid[-1][place].set_xlabel(option)
    for row, called in zip(grid, OUTCOMES.values(), strict=True):
        row[0].set_ylabel(f"runs that {called}")
        row[0].set_ylim(-0.06, 1.06)
        row[0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    names = in_order(handles)
    layout.legend(figure, [handles[name] for name in names], names)
    layout.foot(figure, [_note({name: column[shown] for name, column in runs.items()}, option)])
    return save_figure(figure, out, f"outcomes{suffix}", table)


def _of(column: Column, runs: Table) -> Array:
    """Return the places of the runs of a column of panels."""
    panel, gap, setting = column
    return np.flatnonzero((runs["panel"] == panel) & (runs["gap"] == gap) & (runs["setting"] == setting))


def _point(column: Column, option: str, key: tuple[Any, ...], outcome: str, rows: Table) -> dict[str, Any]:
    """Return a CSV row: how many of all runs begun with a label and value came to an outcome, and the interval."""
    names = dict(zip(("panel", "gap", "setting"), column, strict=True))
    ended = int(((rows["state"] == "finished") & (rows["outcome"] == outcome)).sum())
    found = share(ended, len(rows["state"]))
    counts = {"runs": found.successes, "count": found.count, "share": found.share, "low": found.low, "high": found.high}
    return names | {"label": key[0], "option": option, "value": float(key[1]), "outcome": outcome} | counts


def _draw(axes: Axes, points: list[dict[str, Any]], styles: dict[str, LineStyle]) -> dict[str, Any]:
    """Draw the lines of one panel; return one handle a label."""
    values = np.array([point["value"] for point in points])
    log = values.size > 0 and values.min() > 0 and values.max() / values.min() >= 10
    if log:
        axes.set_xscale("log")
    reach = np.ptp(np.log(values) if log else values) if values.size else 0.0
    labels = in_order(point["label"] for point in points)
    handles = {}
    for index, label in enumerate(labels):
        mine = [point for point in points if point["label"] == label]
        at, shares, low, high = (
            np.array([point[name] for point in mine]) for name in ("value", "share", "low", "high")
        )
        shift = (index - (len(labels) - 1) / 2) * DODGE * reach
        handles[label] = axes.errorbar(
            at * np.exp(shift) if log else at + shift,
            shares,
            [shares - low, high - shares],
            **styles[label].points,
            linestyle=styles[label].dashes,
            elinewidth=0.8,
            capsize=1.5,
            zorder=3,
        )
    return handles


def _note(runs: Table, option: str) -> str:
    lost = shortfall(runs | {"outcome": np.full(len(runs["state"]), None)})
    without = int(np.isnan(runs["value"]).sum())
    return (
        "Bars: 95 % Wilson intervals."
        + (f" Counted as neither: {lost}." if lost else "")
        + (f" Not drawn: {without} runs without {option}." if without else "")
    )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
