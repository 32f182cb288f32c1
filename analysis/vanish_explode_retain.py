"""The story in one picture: whose gradient vanishes, explodes or arrives, and whose state retains what was shown.

    python analysis/vanish_explode_retain.py runs/demo --out figures/
    python analysis/vanish_explode_retain.py runs/demo --filter "task = 'copy'"

How to read it. A column a cell: those whose gradient vanishes stand left, then those whose gradient explodes, then
those in which it arrives. Time runs to the right, and the answer stands at the dotted line. Thick: after training; thin
and pale: before it.

Above: the norm of dL/dh_t (solid) and dL/dc_t (dashed), L the loss of the answer. A line that falls to the left
vanishes backwards in time, one that rises to the left explodes, a flat one arrives. Over the panel stands the factor by
which the norm changes in each step back: that of c_t, the memory, where the cell has one, else of h_t. It "vanishes"
where less than 1/e of the gradient would be left over the whole gap at this factor, "explodes" where it would be more
than e times as large, and "arrives" between.

Below: how much of what was shown a linear readout of the state finds at step t: accuracy for classes, R^2 for values,
on sequences that it was not fitted to; of several items shown by then their median. 1 is all of it; the grey dashed
line is chance, what a readout of nothing scores. Over the panel stands what is found at the answer in h_t or c_t,
whichever holds more: "retained" where that is at least 0.9 of the way from chance to 1, "lost" where it is at most 0.1,
"fading" between.

Of all tasks and gaps the one is drawn that has the most cells and, among equals, sets them furthest apart in what they
retain; --filter chooses others. Lines are medians over the seeds, bands run from the 10 % to the 90 % quantile (least
to greatest where there are fewer than 10 seeds). Panels above show at most 20 decades above and below the gradient at
the answer. Only runs that came to an end are drawn. The figures gradient_flow and retention_along_gap have every task
and gap.

From the tables gradient_flow, gradient_fit and retention.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_COLUMNS,
    FigureScript,
    LineStyle,
    in_files,
    layout,
    line_styles,
    main,
    natural,
    runs_of,
    save_figure,
)
from lrd.figures.facet import RATES, Place
from lrd.figures.flow_and_retention import PLACE, REGIMES, FlowAndRetention, Key, flow_and_retention
from lrd.figures.gradient_panel import (
    DASHES,
    OTHERS,
    limits_of,
    powers_of_ten,
    say_where_it_goes,
    steps_to_answer,
    symbol,
)
from lrd.figures.start_and_end import THIN, Profile, note
from lrd.figures.styles import FONT
from lrd.stats import factor_per_step

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

CHANCE = (0, (5, 2))  # dashes of the line of chance
NAME, SEEN, NUMBER = 12, 9, 7.5  # points: the cell, what one sees in a panel, and the number of it
BOLD = 1.2  # times as wide as other letters


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw gradient flow above retention, a column a cell, at one task and gap; return the files written."""
    runs = runs_of(study)
    columns, run_ids = flow_and_retention(study, runs)
    place = _place_that_tells_most(columns)
    shown = sorted((one for one in columns if one.place == place), key=_order)
    styles = line_styles(runs["label"])
    said = note([spread for column in shown for _, spread in column.scores.values()], runs, run_ids)
    paths: list[Path] = []
    limits = limits_of([profile for column in shown for profile in column.flow.values()], shown[0].answer)
    for suffix, line in in_files(shown, layout.across(PAGE_COLUMNS, RATES)):
        paths += _page(f"vanish_explode_retain{suffix}", line, styles, limits, said, out)
    return paths


def _place_that_tells_most(columns: list[FlowAndRetention]) -> Place:
    """Return the task and gap with the most cells; of equal ones that where these differ most in what they retain."""
    places: dict[Place, list[float]] = {}
    for column in columns:
        places.setdefault(column.place, []).append(column.kept)
    return max(
        places, key=lambda place: (len(places[place]), np.nan_to_num(np.ptp(np.nan_to_num(places[place]))), place)
    )


def _order(column: FlowAndRetention) -> tuple[Any, ...]:
    return REGIMES.index(column.regime), natural(column.label)


def _page(
    name: str,
    columns: list[FlowAndRetention],
    styles: dict[str, LineStyle],
    limits: tuple[float, float],
    said: str,
    out: Path,
) -> list[Path]:
    figure, (above, below) = layout.grid(2, len(columns), 1.75, sharex=True, sharey="row")
    table: list[dict[str, object]] = []
    for column, upper, lower in zip(columns, above, below, strict=True):
        _draw_flow(upper, column, styles[column.label], limits)
        _draw_scores(lower, column, styles[column.label])
        table += _rows(column)
    above[0].set_ylabel("gradient norm")
    below[0].set_ylabel("readable")
    for axes in below:
        axes.set_xlabel("step $t$")
    layout.legend(figure, *_legend(columns))
    task, gap = columns[0].place
    layout.foot(figure, [f"Task {task}, T = {gap}. {said}"])
    return save_figure(figure, out, name, table)


def _draw_flow(axes: Axes, column: FlowAndRetention, style: LineStyle, limits: tuple[float, float]) -> None:
    axes.set_ylim(*limits)
    powers_of_ten(axes)
    _draw_lines(axes, column.flow, style)
    steps_to_answer(axes, column.answer)
    for key, (steps, spread) in column.flow.items():
        if key[1] == "end":
            say_where_it_goes(axes, steps, spread.median, limits, style.colour)
    slopes = [column.slopes.get((column.memory, moment), np.nan) for moment in ("end", "init")]
    trained, untrained = (f"×{factor_per_step(slope):.2f}" for slope in slopes)
    size = min(NAME, FONT * layout.letters_across(axes) / (BOLD * len(column.label)))
    text: dict[str, Any] = {"fontsize": size * layout.scale(), "fontweight": "bold", "color": style.colour}
    axes.annotate(
        column.label,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 30 * layout.scale()),
        textcoords="offset points",
        **text,
    )
    _head(axes, f"the gradient {column.regime}", f"{trained} a step back (untrained {untrained})")


def _draw_scores(axes: Axes, column: FlowAndRetention, style: LineStyle) -> None:
    axes.set_ylim(-0.05, 1.05)
    _draw_lines(axes, column.scores, style)
    chance = next(iter(column.chances.values()))
    axes.plot(chance[0], chance[1].median, color="0.25", linewidth=0.9, linestyle=CHANCE, zorder=1.9)
    axes.axvline(column.answer, color="0.25", linewidth=0.8, linestyle=":")
    score, level = column.at_answer
    _head(axes, f"what was shown is {column.fate}", f"{score:.2f} at the answer (chance {level:.2f})")


def _draw_lines(axes: Axes, lines: dict[Key, Profile], style: LineStyle) -> None:
    """Draw the lines of a panel: pale ones first, and of the end of training with their band."""
    for (variable, moment), (steps, spread) in sorted(lines.items(), key=lambda one: (one[0][1] == "end", one[0][0])):
        middle = np.where(np.isfinite(spread.median), spread.median, np.nan)
        (line,) = axes.plot(steps, middle, **style.line, linestyle=DASHES.get(variable, OTHERS))
        if moment != "end":
            line.set(**THIN)
            continue
        line.set(linewidth=2.0)
        axes.fill_between(steps, spread.low, spread.high, color=style.colour, alpha=0.18, linewidth=0)


def _head(axes: Axes, title: str, number: str) -> None:
    """Write over a panel what one sees in it, and below that the number."""
    for text, up, size, weight in ((title, 14, SEEN, "bold"), (number, 4, NUMBER, "normal")):
        axes.annotate(
            text,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, up * layout.scale()),
            textcoords="offset points",
            fontsize=size * layout.scale(),
            fontweight=weight,
        )


def _legend(columns: list[FlowAndRetention]) -> tuple[list[Line2D], list[str]]:
    """Return the handles and names of the legend; the cells are named over their columns."""
    entries = {"trained": Line2D([], [], color="0.25", linewidth=2.0)}
    entries["untrained"] = Line2D([], [], color="0.25", linewidth=0.8, alpha=0.5)
    for variable in sorted({key[0] for column in columns for key in column.flow}, reverse=True):
        line = Line2D([], [], color="0.25", linestyle=DASHES.get(variable, OTHERS))
        entries[f"${symbol(variable)}$"] = line
    entries["answer"] = Line2D([], [], color="0.25", linewidth=0.8, linestyle=":")
    entries["chance"] = Line2D([], [], color="0.25", linewidth=0.9, linestyle=CHANCE)
    return list(entries.values()), list(entries)


def _rows(column: FlowAndRetention) -> list[dict[str, object]]:
    """Return the rows of the CSV of one column: each line of both panels, with the slope and factor of its gradient."""
    names: dict[str, object] = dict(zip(PLACE, (*column.place, column.label), strict=True))
    found: list[dict[str, object]] = []
    for quantity, lines in (("gradient", column.flow), ("retention", column.scores)):
        for (variable, moment), (steps, spread) in lines.items():
            of_line: dict[str, object] = {"variable": variable, "moment": moment, "quantity": quantity}
            chances: Iterable[object] = repeat(None, len(steps))
            rate: dict[str, object] = {"slope": None, "factor": None}
            if quantity == "gradient":
                slope = column.slopes.get((variable, moment), np.nan)
                rate = {"slope": slope, "factor": float(factor_per_step(slope))}
            else:
                chances = column.chances[variable, moment][1].median
            points = zip(steps, spread.median, spread.low, spread.high, spread.count, chances, strict=True)
            found += [
                names
                | of_line
                | dict(zip(("t", "median", "low", "high", "runs", "chance"), point, strict=True))
                | {"band": spread.kind}
                | rate
                for point in points
            ]
    return found


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
