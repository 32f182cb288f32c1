"""How well a closing bracket or quote is predicted, against how far back its opening is: a memory's reach in real text.

    python analysis/closing_distance.py runs/text --out figures/

How to read it. A row a task and gap. To the right runs the distance from a closing sign back to the one it closes,
in characters, in bins that double; a point stands at the mean distance of its bin. Left: the mean loss of predicting
the closing sign, thick at the end of training, thin and pale before the first update; the dotted line is what the
character frequencies alone score on the same signs. Right: the share predicted right.

A network that has forgotten the opening knows only what the text of the last few characters says, whatever the
distance: its curve is flat from where its memory ends. The gap between two cells at large distances is the gap between
their memories.

Lines are medians over seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer than
10 seeds). Signs of a bin are counted in the line under the figure where they are fewer than 10 a run: such a point says
little. Only runs that came to an end are drawn.

From the table closing of the probe of that name, and the table runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures import (
    PAGE_ROWS,
    Array,
    FigureScript,
    LineStyle,
    NothingToDrawError,
    Table,
    drawn_from,
    groups,
    join_runs,
    layout,
    line_styles,
    main,
    pivot,
    runs_of,
    save_figure,
)
from lrd.figures.start_and_end import THIN, need_probe, note, rows_at
from lrd.stats import Band, band, median

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

FEW = 10  # closing signs of a bin, below which it is named
QUANTITIES = {"loss": "loss [nats]", "accuracy": "share predicted right"}

Place = tuple[str, int]  # panel, gap
Key = tuple[str, int, str, str]  # panel, gap, label, moment


@dataclass(frozen=True)
class ClosingCurve:
    """One cell at one moment, by bin: least distance, and medians over seeds of the mean distance and the count."""

    low: Array
    distance: Array
    count: Array
    bands: dict[str, Band]  # of each of QUANTITIES, and of "unigram"


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the loss of closing signs by distance; return the files written."""
    need_probe(study, "closing")
    runs = runs_of(study)
    rows = rows_at(study, "closing", "low, distance, count, loss, accuracy, unigram")
    if not len(rows["run_id"]):
        raise NothingToDrawError("no finished run was measured by the probe `closing`, or nothing closed in its text")
    rows = join_runs(rows, runs)
    drawn_from(runs, rows)
    curves = {key: _curve(group) for key, group in groups(rows, "panel", "gap", "label", "moment")}
    places = sorted({key[:2] for key in curves})
    paths: list[Path] = []
    for page, start in enumerate(range(0, len(places), PAGE_ROWS)):
        suffix = f"_{page + 1}" if page else ""
        chosen = places[start : start + PAGE_ROWS]
        shown = {key: curve for key, curve in curves.items() if key[:2] in chosen}
        paths += _page(f"closing_distance{suffix}", chosen, shown, runs, rows["run_id"], out)
    return paths


def _curve(rows: Table) -> ClosingCurve:
    low, distance = pivot(rows, "run_id", "low", "distance")
    count = pivot(rows, "run_id", "low", "count")[1]
    bands = {name: band(pivot(rows, "run_id", "low", name)[1]) for name in (*QUANTITIES, "unigram")}
    return ClosingCurve(low, median(distance), median(count), bands)


def _page(
    name: str,
    places: Sequence[Place],
    curves: dict[Key, ClosingCurve],
    runs: Table,
    drawn: Array,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.folded(len(places), len(QUANTITIES), 1.7)
    table: list[dict[str, object]] = []
    for row, place in zip(grid, places, strict=True):
        here = {key: curve for key, curve in curves.items() if key[:2] == place}
        for axes, (quantity, called) in zip(row, QUANTITIES.items(), strict=True):
            _panel(axes, here, quantity, styles)
            axes.set_ylabel(called)
            layout.head(axes, f"{place[0]}, $T$ = {place[1]}")
        table += [line for key in sorted(here) for line in _rows(key, here[key])]
    for axes in grid[-1]:
        axes.set_xlabel("distance from closing sign to opening [characters]")
    layout.legend(figure, *_legend({key[2:] for key in curves}, styles))
    spreads = [curve.bands["loss"] for curve in curves.values()]
    layout.foot(figure, [note(spreads, runs, drawn) + _few(curves)])
    return save_figure(figure, out, name, table)


def _panel(axes: Axes, curves: dict[Key, ClosingCurve], quantity: str, styles: dict[str, LineStyle]) -> None:
    for key in sorted(curves, key=lambda key: key[3] == "end"):
        curve, style = curves[key], styles[key[2]]
        spread = curve.bands[quantity]
        (line,) = axes.plot(curve.distance, spread.median, **style.line, linestyle=style.dashes)
        if key[3] == "init":
            line.set(**THIN)
            continue
        line.set(marker=style.marker)
        axes.fill_between(curve.distance, spread.low, spread.high, color=style.colour, alpha=0.18, linewidth=0)
    if quantity == "loss":
        unigram = max(curves.values(), key=lambda curve: len(curve.low))
        axes.plot(unigram.distance, unigram.bands["unigram"].median, color="0.25", linewidth=0.8, linestyle=":")
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(-0.04, 1.04)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _few(curves: dict[Key, ClosingCurve]) -> str:
    """Return from which distance on some points stand on few signs, as a sentence; empty where none does."""
    starts = [int(low) for curve in curves.values() for low, n in zip(curve.low, curve.count, strict=True) if n < FEW]
    return f" From a distance of {min(starts)} on, some points have fewer than {FEW} signs a run." if starts else ""


def _rows(key: Key, curve: ClosingCurve) -> list[dict[str, object]]:
    names: dict[str, object] = dict(zip(("panel", "gap", "label", "moment"), key, strict=True))
    rows: list[dict[str, object]] = []
    for quantity in QUANTITIES:
        spread = curve.bands[quantity]
        columns = (curve.low, curve.distance, curve.count, spread.median, spread.low, spread.high, spread.count)
        for index, point in enumerate(zip(*columns, strict=True)):
            named = dict(zip(("from", "distance", "signs", "median", "low", "high", "runs"), point, strict=True))
            unigram = curve.bands["unigram"].median[index] if quantity == "loss" else None
            rows.append(names | {"quantity": quantity} | named | {"band": spread.kind, "unigram": unigram})
    return rows


def _legend(drawn: set[tuple[str, str]], styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    handles: list[Any] = []
    names: list[str] = []
    for label in sorted({label for label, _ in drawn}):
        handles.append(Line2D([], [], **styles[label].points, linestyle=styles[label].dashes))
        names.append(label)
    if any(moment == "init" for _, moment in drawn):
        handles.append(Line2D([], [], color="0.25", **THIN))
        names.append("before training")
    handles.append(Line2D([], [], color="0.25", linewidth=0.8, linestyle=":"))
    names.append("character frequencies")
    return handles, names


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
