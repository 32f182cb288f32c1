"""Beyond the trained gap: what a network that was trained at one gap does at shorter and at longer ones.

    python analysis/generalisation.py runs/generalisation --out figures/

How to read it. One panel a task and trained gap, one line a cell. To the right runs the gap at which the trained runs
were tested; the dashed vertical line is the gap at which they were trained. Upwards stands the share of answers that
are right, for tasks that have an accuracy; for the others the test loss over that of chance, on a log axis. The dotted
line is chance: the best answer that remembers nothing. A mark is full where at least half of the runs meet the task's
criterion at that gap, hollow where fewer do. A line that keeps its height to the right of the dashed one learnt the
task; one that falls there learnt it for its own gap. The number over a panel is that of runs a line, whether they
solved their trained gap or not.

Below, where it was measured (evaluation.gradient_flow=true): the factor by which the norm of dL/dh_t changes with each
step back at that gap, from the line fitted over the quiet steps. Below 1 (dotted) the gradient vanishes, above it
explodes. Each layer and direction of a network has a line of its own.

Lines are medians over the seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer
than 10 seeds). The CSV has the share of runs that meet the criterion.

From the tables generalisation and generalisation_fit (evaluation.gaps), and the table runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    PAGE_ROWS,
    Array,
    FigureScript,
    LineStyle,
    NotMeasuredError,
    Table,
    drawn_from,
    finite,
    gap_axis,
    groups,
    in_files,
    in_order,
    join_runs,
    layout,
    line_styles,
    lines_are,
    main,
    pivot,
    pooling,
    runs_of,
    save_figure,
    span,
)
from lrd.figures.label_legend import part_entries
from lrd.stats import Band, band

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

LOSS, FACTOR = "loss over chance", "factor a step back"
TRAINED: dict[str, Any] = {"color": layout.GREY, "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}
CHANCE: dict[str, Any] = {"color": "0.25", "linewidth": 0.8, "linestyle": ":", "zorder": 1}
BEYOND = 1.12  # how far the axis goes on past the gaps, as a factor
APART = 0.11  # least distance of the gaps that are written, as a share of the axis
Place = tuple[str, int]  # panel, trained gap


@dataclass(frozen=True)
class Line:
    """One cell in one panel: medians over seeds at each tested gap, the share that met the criterion, and chance."""

    gaps: Array
    values: Band
    met: Array
    chance: Array


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw how the runs of a study do at gaps that they were not trained at; return the files written."""
    if "generalisation" not in study.tables:
        raise NotMeasuredError("no run was tested at other gaps: train with evaluation.gaps=[10,50,200]")
    runs = runs_of(study)
    found = {"metric": _tests(study, runs)}
    if "generalisation_fit" in study.tables:
        found["flow"] = _flows(study, runs)
    drawn_from(runs, found["metric"][0])
    lines = {row: dict(_lines(rows)) for row, (rows, _) in found.items()}
    names = found["metric"][1]
    places = sorted(names)
    columns = layout.across(min(len(places), PAGE_COLUMNS))
    in_rows = [places[start : start + columns] for start in range(0, len(places), columns)]
    paths: list[Path] = []
    for suffix, rows in in_files(in_rows, max(1, PAGE_ROWS // len(found))):
        paths += _page(f"generalisation{suffix}", rows, columns, lines, names, runs, out)
    return paths


def _tests(study: Any, runs: Table) -> tuple[Table, dict[Place, str]]:
    """Return a row for each run and tested gap, with the metric of its panel, and the name of that metric by place."""
    rows = join_runs(
        study.columns(
            "select run_id, tested_gap, metric, value, chance_level, meets_criterion as met from generalisation "
            "order by run_id, metric, tested_gap"
        ),
        runs,
    )
    names: dict[Place, str] = {}
    for (panel, gap), mine in groups(rows, "panel", "gap"):
        right = [name for name in in_order(mine["metric"]) if name.endswith("accuracy")]
        names[panel, int(gap)] = right[0] if right else "loss"
    places = zip(rows["panel"], rows["gap"].tolist(), strict=True)
    chosen = np.array([names[place] for place in places], dtype=object) == rows["metric"]
    rows = {name: column[chosen] for name, column in rows.items()}
    of_loss = rows["metric"] == "loss"
    level = np.where(of_loss, rows["chance_level"], 1.0)
    rows |= {"value": rows["value"] / level, "chance": rows["chance_level"] / level}
    return rows, {place: LOSS if name == "loss" else name.replace("_", " ") for place, name in names.items()}


def _flows(study: Any, runs: Table) -> tuple[Table, dict[Place, str]]:
    """Return a row for each part of a run and tested gap: the factor by which dL/dh_t changes with a step back."""
    rows = join_runs(
        study.columns(
            "select run_id, layer, direction, tested_gap, pow(10, -slope) as value, 1.0::double as chance, 0 as met "
            "from generalisation_fit where variable = 'h' order by run_id, layer, direction, tested_gap"
        ),
        runs,
    )
    return rows, {}


def _lines(rows: Table) -> Iterator[tuple[tuple[Any, ...], Line]]:
    """Yield panel, trained gap and label, and the line that is drawn for them."""
    for key, mine in groups(rows, "panel", "gap", "label"):
        gaps, values = pivot(mine, "run_id", "tested_gap", "value")
        met, chance = (np.nanmean(pivot(mine, "run_id", "tested_gap", name)[1], axis=0) for name in ("met", "chance"))
        yield key, Line(gaps, band(values), met, chance)


def _page(
    name: str,
    in_rows: Sequence[Sequence[Place]],
    columns: int,
    lines: dict[str, dict[tuple[Any, ...], Line]],
    names: dict[Place, str],
    runs: Table,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(len(in_rows) * len(lines), columns, 1.75)
    table: list[dict[str, object]] = []
    drawn: list[Line] = []
    for number, places in enumerate(in_rows):
        for below, (row, of_row) in enumerate(lines.items()):
            panels = grid[number * len(lines) + below]
            for axes in panels[len(places) :]:
                axes.axis("off")
            for axes, place in zip(panels, places, strict=False):
                mine = {key[2]: line for key, line in of_row.items() if (key[0], int(key[1])) == place}
                called = names[place] if row == "metric" else FACTOR
                _panel(axes, mine, place[1], called, styles)
                if row == "metric":
                    drawn += mine.values()
                    counts = [int(line.values.count.max()) for line in mine.values()]
                    layout.head(axes, f"{place[0]}, trained at {place[1]}", span(counts))
                table += [each for label, line in mine.items() for each in _rows(place, label, called, line)]
    labels = in_order(key[2] for key in lines["metric"] if (key[0], int(key[1])) in [p for row in in_rows for p in row])
    handles = [Line2D([], [], **styles[label].points, linestyle=styles[label].dashes) for label in labels]
    parts = part_entries((key[2] for key in lines.get("flow", {})), dashed=True)
    entries = [*zip(handles, labels, strict=True), *parts]
    entries += [(Line2D([], [], **TRAINED), "trained gap"), (Line2D([], [], **CHANCE), "chance")]
    layout.legend(figure, [handle for handle, _ in entries], [called for _, called in entries])
    counts = [int(line.values.count.max()) for line in drawn]
    marks = "Full marks: at least half of the runs meet the task's criterion at that gap."
    marks += " Below: of dL/dh, dotted where it neither vanishes nor explodes." if len(lines) > 1 else ""
    said = lines_are(runs, counts, [line.values for line in drawn])
    layout.foot(figure, [said + pooling(runs), marks])
    return save_figure(figure, out, name, table)


def _panel(axes: Axes, lines: dict[str, Line], trained: int, called: str, styles: dict[str, LineStyle]) -> None:
    gaps = sorted({int(gap) for line in lines.values() for gap in line.gaps} | {trained})
    gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, BEYOND))
    axes.set_xticks(_written(gaps, trained))
    axes.set_xlabel("tested gap (steps)")
    axes.set_ylabel(called)
    if called == LOSS:
        axes.set_yscale("log")
    elif called != FACTOR:
        axes.set_ylim(-0.04, 1.04)
    axes.axvline(trained, **TRAINED)
    for number, (label, line) in enumerate(lines.items()):
        style, middle = styles[label], finite(line.values.median)
        axes.fill_between(line.gaps, line.values.low, line.values.high, color=style.colour, alpha=0.15, linewidth=0)
        axes.plot(line.gaps, middle, **style.line, linestyle=style.dashes, zorder=2)
        if called != FACTOR:
            for full, chosen in ((True, line.met >= 0.5), (False, line.met < 0.5)):
                face: dict[str, Any] = {} if full else {"markerfacecolor": "white"}
                axes.plot(line.gaps[chosen], middle[chosen], **style.points, **face, linestyle="none", zorder=3)
        if not number:
            axes.plot(line.gaps, line.chance, **CHANCE)


def _written(gaps: Sequence[int], trained: int) -> list[int]:
    """Return the gaps that stand at the axis: the trained one, and of the others those that leave room for it."""
    places = {gap: gap_axis.share_of(gaps, gap) for gap in gaps}
    chosen = [trained]
    for gap in [gaps[-1], gaps[0], *gaps]:
        if all(abs(places[gap] - places[other]) >= APART for other in chosen):
            chosen.append(gap)
    return sorted(chosen)


def _rows(place: Place, label: str, called: str, line: Line) -> Iterator[dict[str, object]]:
    for at, gap in enumerate(line.gaps):
        spread = {name: getattr(line.values, name)[at] for name in ("median", "low", "high")}
        yield {
            "panel": place[0],
            "gap": place[1],
            "label": label,
            "tested_gap": int(gap),
            "quantity": called,
            **spread,
            "runs": int(line.values.count[at]),
            "band": line.values.kind,
            "chance": line.chance[at],
            "met_criterion": None if called == FACTOR else line.met[at],
        }


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
