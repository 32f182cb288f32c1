"""What is still readable from the state along the gap, above what arrives there of the answer's gradient.

    python analysis/retention_along_gap.py runs/demo --out figures/
    python analysis/retention_along_gap.py runs/demo --item sum

How to read it. A column a cell, or a layer and direction of its network; time runs to the right, and the answer stands
at the dotted line. Upper panels: how well what the task showed can be read from the state at step t by a linear readout
fitted to other sequences, solid from h_t, dashed from c_t: accuracy for classes, R^2 for values. 1 is all of it; the
grey dotted line is chance, what a readout of nothing scores. Of several items shown by then the median is taken, or one
of them alone with --item. Scores below -0.1, worse than the mean, are not shown.

Lower panels: the norm of dL/dh_t (solid) and dL/dc_t (dashed) of the same runs, with the factor by which it changes in
each step back and, in brackets, its horizon in steps, as in the figure gradient_flow. Where the upper lines stay up
while the lower ones fall, the state keeps what its gradient no longer reaches: training cannot improve there what is
kept, however much is.

Lines are medians over seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer than
10 seeds). Thick at the end of training, thin and pale before the first update. Only runs that came to an end are drawn.

From the tables retention, of the probe of that name, gradient_flow and gradient_fit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    Array,
    FigureScript,
    LineStyle,
    NothingToDrawError,
    PartLabel,
    Table,
    drawn_from,
    groups,
    in_files,
    in_order,
    join_runs,
    layout,
    line_styles,
    main,
    plain,
    runs_of,
    save_figure,
)
from lrd.figures.facet import RATES
from lrd.figures.flow_profiles import at_start_and_end, flow_fits, flow_profiles
from lrd.figures.gradient_panel import DASHES, OTHERS, draw_panel, legend, norm_of, steps_to_answer, symbol
from lrd.figures.retention_scores import retention_scores
from lrd.figures.start_and_end import THIN, Profile, along_t, need_probe, note
from lrd.stats import Band, median

import numpy as np
from matplotlib.axes import Axes

BLOCKS = 2  # pairs of rows of panels on a page
LOWEST = -0.1

Place = tuple[str, int]  # panel, gap
Key = tuple[str, int, str, str, str]  # panel, gap, label, variable, moment
Block = tuple[Place, list[str]]


@dataclass(frozen=True)
class Found:
    """What the records hold for this figure; ``scores`` are bands of the score and of chance."""

    scores: dict[Key, tuple[Profile, Profile]]
    profiles: dict[Key, Profile]
    slopes: dict[Key, float]
    answers: dict[Place, int]
    run_ids: Array


@FigureScript
def draw(study: Any, out: Path, item: str = "median") -> list[Path]:
    """Draw retention and gradient flow of a study, of the median item or of one by name; return the files written."""
    need_probe(study, "retention")
    runs = runs_of(study)
    found = _find(study, runs, item)
    blocks = _blocks(found.scores)
    of_item = "" if item == "median" else "_" + item.replace(" ", "_")
    paths: list[Path] = []
    for suffix, block in in_files(blocks, BLOCKS):
        paths += _page(f"retention_along_gap{of_item}{suffix}", block, found, runs, out)
    return paths


def _find(study: Any, runs: Table, item: str) -> Found:
    scores = retention_scores(study, item)
    if not len(scores["run_id"]):
        raise NothingToDrawError("no finished run was measured by the probe `retention` at its start or end")
    scores = join_runs(scores, runs)
    drawn_from(runs, scores)
    flow = flow_profiles(study)
    measurements, fits = (
        _of_runs(at_start_and_end(measurements), scores["run_id"], runs)
        for measurements in (flow.measurements, flow_fits(study))
    )
    keys = ("panel", "gap", "label", "variable", "moment")
    return Found(
        {key: (along_t(group, "score"), along_t(group, "chance")) for key, group in groups(scores, *keys)},
        {key: along_t(group, "log10_gmean") for key, group in flow.groups(measurements, *keys)},
        {key: float(median(plain(group["slope"]))) for key, group in groups(fits, *keys)},
        {key: int(np.max(group["answer"])) for key, group in groups(scores, "panel", "gap")},
        scores["run_id"],
    )


def _of_runs(rows: Table, run_ids: Array, runs: Table) -> Table:
    """Return the rows of some runs alone, with what is known of their run."""
    chosen = np.isin(rows["run_id"].astype(str), run_ids.astype(str))
    return join_runs({name: column[chosen] for name, column in rows.items()}, runs)


def _blocks(keys: Iterable[Key]) -> list[Block]:
    """Return the task, gap and cells of each pair of rows of panels."""
    cells: dict[Place, set[str]] = {}
    for panel, gap, label, *_ in keys:
        cells.setdefault((panel, gap), set()).add(label)
    columns = layout.across(PAGE_COLUMNS, RATES)
    return [
        (place, in_order(cells[place])[start : start + columns])
        for place in sorted(cells)
        for start in range(0, len(cells[place]), columns)
    ]


def _page(name: str, blocks: list[Block], found: Found, runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(2 * len(blocks), max(len(labels) for _, labels in blocks), 1.45)
    table: list[dict[str, object]] = []
    shown: set[Key] = set()
    for index, ((panel, gap), labels) in enumerate(blocks):
        pair = grid[2 * index : 2 * index + 2]
        for axes, called in zip((pair[0][0], pair[1][0]), ("readable", "gradient norm"), strict=True):
            axes.set_ylabel(called)
        for column, (above, below) in enumerate(zip(*pair, strict=True)):
            if column >= len(labels):
                above.axis("off")
                below.axis("off")
                continue
            here = (panel, gap, labels[column])
            answer = found.answers[panel, gap]
            shown |= {key for key in found.scores if key[:3] == here}
            table += _draw_scores(above, here, found, styles[here[2]], answer)
            table += _draw_gradients(below, here, found, styles, answer)
            between = ":\n" if isinstance(here[2], PartLabel) else ": "
            layout.head(above, f"{here[2]}{between}{panel}, $T$ = {gap}")
            below.set_xlabel("step $t$")
    layout.legend(figure, *_legend(shown, styles))
    bands = [spread for key in sorted(shown) for spread in (found.scores[key][0][1],)]
    layout.foot(figure, [note(bands, runs, found.run_ids)])
    return save_figure(figure, out, name, table)


def _draw_scores(
    axes: Axes, here: tuple[str, int, str], found: Found, style: LineStyle, answer: int
) -> list[dict[str, object]]:
    """Draw the scores of one cell; return their rows of the CSV."""
    table: list[dict[str, object]] = []
    least = 0.0
    for key in sorted((key for key in found.scores if key[:3] == here), key=lambda key: key[4] == "end"):
        (steps, spread), (_, chance) = found.scores[key]
        (line,) = axes.plot(steps, spread.median, **style.line, linestyle=DASHES.get(key[3], OTHERS))
        least = min(least, float(np.fmin.reduce(spread.median, initial=0.0)))
        if key[4] == "init":
            line.set(**THIN)
        else:
            line.set(marker=style.marker, markevery=(0.1, 0.25))
            axes.fill_between(steps, spread.low, spread.high, color=style.colour, alpha=0.18, linewidth=0)
        table += _rows(key, "retention", steps, spread, chance.median)
    axes.set_ylim(max(least, LOWEST) - 0.04, 1.04)
    axes.plot(steps, chance.median, color="0.25", linewidth=0.8, linestyle=":", zorder=1.9)
    if np.isfinite(chance.median[-1]):
        _name_chance(axes, float(chance.median[-1]))
    steps_to_answer(axes, answer)
    axes.set_xlim(*_reach(max(answer, int(steps[-1]))))
    return table


def _name_chance(axes: Axes, level: float) -> None:
    axes.annotate(
        "chance",
        (0.01, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=layout.small(),
        color="0.25",
    )


def _reach(last: int) -> tuple[float, float]:
    """Return the range of panels whose last step is given, the same above and below."""
    return -0.04 * max(last, 1), 1.04 * max(last, 1)


def _draw_gradients(
    axes: Axes, here: tuple[str, int, str], found: Found, styles: dict[str, LineStyle], answer: int
) -> list[dict[str, object]]:
    """Draw the gradient flow of the same runs, as the figure gradient_flow does; return its rows of the CSV."""
    keys = sorted((key for key in found.profiles if key[:3] == here), key=lambda key: (key[4] == "end", key[3] != "h"))
    if not keys:
        axes.axis("off")
        return []
    slopes = {key[2:]: found.slopes.get(key, np.nan) for key in keys}
    draw_panel(axes, {key[2:]: found.profiles[key] for key in keys}, slopes, styles, answer, "")
    axes.set_xlim(*_reach(max(answer, *(int(found.profiles[key][0][-1]) for key in keys))))
    return [row for key in keys for row in _rows(key, "gradient", *found.profiles[key], None)]


def _rows(key: Key, quantity: str, steps: Array, spread: Band, chance: Array | None) -> list[dict[str, object]]:
    names = dict(zip(("panel", "gap", "label", "variable", "moment"), key, strict=True)) | {"quantity": quantity}
    points = zip(steps, spread.median, spread.low, spread.high, spread.count, strict=True)
    return [
        names
        | dict(zip(("t", "median", "low", "high", "runs"), point, strict=True))
        | {"band": spread.kind, "chance": None if chance is None else chance[index]}
        for index, point in enumerate(points)
    ]


def _legend(keys: set[Key], styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    """Return the handles and names of the legend: that of the gradient flow, with names that hold for both rows."""
    handles, names = legend({key[2:] for key in keys}, styles)
    both = {norm_of(variable): f"${symbol(variable)}$" for variable in {key[3] for key in keys}}
    return handles, [both.get(name, name) for name in names]


if __name__ == "__main__":
    choice = {"default": "median", "help": "an item by name, or the median over items (default: median)"}
    sys.exit(main(draw, __doc__, item=choice))
