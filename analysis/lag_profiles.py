"""What is left of the gradient after so many steps back, before and after training, beside what theory says.

    python analysis/lag_profiles.py runs/demo --out figures/

How to read it. One panel a task, gap, cell and state variable, and a layer and direction where a network has several.
The lag, steps back from the answer, runs to the right (below 0, steps after it, which bidirectional networks hear of);
up runs the norm of dL/dh_t (or dL/dc_t) over that at the answer itself, so that every line starts at 1. Where it is 0
at the answer there is nothing to measure it against: the panel says so and has no line. A straight line is exponential
decay. Thick in the colour of the cell, with its band: after training; thin and pale: before. The black lines are
theory, after training, but for the first of the last layer alone:

* dotted, the fitted slope, one factor per step back, at the height of the middle of the thick line: where that bends
  away from it, the gradient does not decay by one factor;
* dashed, of the vanilla RNN, the bound (gamma sigma_max(W))^lag of Pascanu, Mikolov & Bengio (2013, sec. 2.1), and
  dash-dotted the same with the largest derivative that the units took at each step in place of gamma; crosses, the
  largest singular value of dh_T/dh_t, which the two bound, as it bounds the gradient (table of the probe ``jacobian``);
* dashed with circles, of the LSTM, the product of the forget gates from t to the answer: what dL/dc_t would be if
  nothing but the gates acted; empty, its geometric mean over units and samples, filled, its 95 % quantile over them,
  which a norm is nearer to. What it has beyond that came by the recurrent weights (table of the probe ``gates``).

What no probe has measured is not drawn: ``lrd probe runs/demo 'probe=[jacobian,gates]'``. Lines are medians over seeds
(of geometric means, and for Jacobians of medians, over samples), bands run from the 10 % to the 90 % quantile (least to
greatest where there are fewer than 10 seeds). A panel shows what was measured, at most 20 decades of it; a bound that
leaves it says where it gets to.

From the tables gradient_flow and gradient_fit; jacobian and gates, of the probes of these names.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrd.figures import (
    Array,
    FigureScript,
    LineStyle,
    PartLabel,
    Table,
    drawn_from,
    groups,
    join_runs,
    layout,
    line_styles,
    main,
    pivot,
    plain,
    runs_of,
    save_figure,
)
from lrd.figures.flow_profiles import at_start_and_end, flow_fits, flow_profiles, panels_by_answer
from lrd.figures.gradient_panel import DECADES, LEAST, powers_of_ten, say_what_is_zero, title_of, write_inside
from lrd.figures.sheet import Place, Sheet, Track, sheets
from lrd.figures.start_and_end import THIN, not_measured, note
from lrd.figures.theory_lines import Key, Lines, slope_lines, theory
from lrd.stats import Band, band

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

ROOM = 0.3  # over what was measured, for the bounds, as a share of its height
MEASURED = {"init": "before training", "end": "after training"}
BLACK: dict[str, Any] = {"color": "black", "linewidth": 0.9, "markersize": 3.2}
THEORY: dict[str, tuple[str, dict[str, Any]]] = {
    "slope": ("fitted slope", {"linestyle": (0, (1, 1.2))}),
    "bound": ("Pascanu's bound", {"linestyle": (0, (5, 2))}),
    "bound_slopes": ("with slopes met", {"linestyle": (0, (5, 1.5, 1, 1.5))}),
    "sigma": ("σ of the Jacobian", {"linestyle": "", "marker": "x", "markeredgewidth": 0.8}),
    "gates": ("forget gates", {"linestyle": (0, (3, 1.5)), "marker": "o", "markerfacecolor": "white"}),
    "gates_q95": ("forget gates, 95 %", {"linestyle": (0, (3, 1.5)), "marker": "o"}),
}


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the lag profiles of a study; return the files written."""
    runs = runs_of(study)
    flow = flow_profiles(study)
    measurements = at_start_and_end(flow.measurements)
    if not len(measurements["run_id"]):
        raise not_measured(study, "gradient_flow")
    runs = panels_by_answer(measurements, runs)
    measurements = join_runs(measurements, runs)
    drawn_from(runs, measurements)
    keys = ("panel", "gap", "label", "variable")
    # The tables of theory are of the last answer; that of one answer alone starts at one step.
    known = theory(study, runs) if set(measurements["answer"]) == {"last"} else {}
    fits = join_runs(at_start_and_end(flow_fits(study)), runs)
    fitted = {key: _slopes(group) for key, group in groups(fits, *keys, "moment")}
    lines: dict[Key, Lines] = {}
    for (*place, moment), group in flow.groups(measurements, *keys, "moment"):
        lags, norms = _left(group)
        lines.setdefault(tuple(place), {})[moment] = lags, band(np.stack(list(norms.values())))
        sign = -1 if isinstance(place[2], PartLabel) and place[2].is_backward else 1  # of a step that it reads
        slopes = {run: sign * slope for run, slope in fitted.get((*place, moment), {}).items() if run in norms}
        if moment == "end" and slopes:
            lines[tuple(place)]["slope"] = slope_lines(slopes, lags, norms)
    for key in lines:
        lines[key] |= known.get(key, {})
    paths: list[Path] = []
    for sheet in sheets(lines):
        paths += _sheet(sheet, lines, runs, measurements["run_id"], out)
    return paths


def _left(rows: Table) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the lags, and for each run log10 of its norms over that at the answer."""
    lags, norms = pivot(rows, "run_id", "lag", "log10_gmean")
    at_answer = norms[:, lags == 0]
    norms[~np.isfinite(at_answer).all(axis=1)] = np.nan  # nothing at the answer: nothing to measure against
    return lags, dict(zip(sorted(set(rows["run_id"].astype(str))), norms - at_answer, strict=True))


def _slopes(rows: Table) -> dict[str, float]:
    """Return the slope of each run that has one."""
    slopes = zip(rows["run_id"].astype(str), plain(rows["slope"]).tolist(), strict=True)
    return {run: slope for run, slope in slopes if np.isfinite(slope)}


def _sheet(sheet: Sheet, lines: dict[Key, Lines], runs: Table, seen: Array, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, panels = layout.grid(len(sheet.lines), max(2, sheet.across), 1.35)
    table: list[dict[str, object]] = []
    drawn: set[str] = set()
    for line, (place, tracks) in zip(panels, sheet.lines, strict=True):
        for axes in line[len(tracks) :]:
            axes.axis("off")
        for axes, track in zip(line, tracks, strict=False):
            mine = lines[*place, *track]
            _panel(axes, mine, styles[track[0]])
            layout.head(axes, title_of(track))
            drawn |= set(mine)
            table += [row for curve, (lags, spread) in mine.items() for row in _rows(place, track, curve, lags, spread)]
        line[0].set_ylabel(f"{place[0]}, $T$ = {place[1]}\ngradient norm")
    for axes in panels[-1]:
        axes.set_xlabel("lag (steps)")
    _legend(figure, drawn)
    spreads = [
        spread for place, tracks in sheet.lines for track in tracks for spread in _measured(lines[*place, *track])
    ]
    layout.foot(figure, [note(spreads, runs, seen) + " Black: theory, after training."])
    return save_figure(figure, out, f"lag_profiles{sheet.suffix}", table)


def _measured(lines: Lines) -> list[Band]:
    return [lines[moment][1] for moment in MEASURED if moment in lines]


def _panel(axes: Axes, lines: Lines, style: LineStyle) -> None:
    low, high = _limits(lines)
    axes.set_ylim(low, high)
    powers_of_ten(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    for curve, (lags, spread) in lines.items():
        middle = np.where(np.isfinite(spread.median), spread.median, np.nan)
        if curve in THEORY:
            axes.plot(
                lags,
                middle,
                zorder=2.5,
                markevery=0.12 if curve in ("gates", "gates_q95") else 1,
                **(BLACK | THEORY[curve][1]),
            )
        elif curve == "init":
            axes.plot(lags, middle, **style.line, **THIN)
        else:
            axes.plot(lags, middle, **style.line, linewidth=1.6)
            bounds = np.clip(spread.low, low, high), np.clip(spread.high, low, high)
            axes.fill_between(lags, *bounds, color=style.colour, alpha=0.18, linewidth=0)
    measured = _measured(lines)
    if any(spread.count.any() for spread in measured):
        say_what_is_zero(axes, [replace(spread, median=spread.median[::-1]) for spread in measured])  # the answer last
    else:  # such as the past of a cell that keeps it: nothing reads it after the answer
        write_inside(axes, "0 at the answer")
    if "bound" in lines and lines["bound"][1].median[-1] > high:
        lags, spread = lines["bound"]
        leaves = lags[0] + (lags[-1] - lags[0]) * (high / spread.median[-1])  # it is a straight line from 0
        axes.annotate(
            f"to $10^{{{spread.median[-1]:.0f}}}$",
            (leaves, high),
            xytext=(3, -1),
            textcoords="offset points",
            va="top",
            fontsize=layout.small(),
        )


def _limits(lines: Lines) -> tuple[float, float]:
    """Return the limits, log10, of a panel: what was measured, LEAST to DECADES of it, and some room for the bounds."""
    values = np.concatenate([np.r_[spread.median, spread.low, spread.high] for spread in _measured(lines)])
    values = values[np.isfinite(values)]
    low = float(np.clip(values.min(initial=0.0), -DECADES, -LEAST))
    high = float(np.clip(values.max(initial=0.0), 0.0, DECADES))
    bounds = [lines[name][1].median[-1] for name in ("bound", "bound_slopes") if name in lines]
    room = ROOM * (high - low) if any(bound > high for bound in bounds) else 0.0
    return low - 0.05 * (high - low), high + max(room, 0.05 * (high - low))


def _legend(figure: Any, drawn: set[str]) -> None:
    entries = [(Line2D([], [], color="0.25", linewidth=1.6), "after training")]
    entries.append((Line2D([], [], color="0.25", **THIN), "before training"))
    for curve, (name, options) in THEORY.items():
        if curve in drawn:
            entries.append((Line2D([], [], **(BLACK | options)), name))
    layout.legend(figure, [handle for handle, _ in entries], [name for _, name in entries])


def _rows(place: Place, track: Track, curve: str, lags: np.ndarray, spread: Band) -> list[dict[str, object]]:
    """Return the rows of the CSV of one line; of a line of theory the median alone is drawn."""
    names = {"panel": place[0], "gap": place[1], "label": track[0], "variable": track[1]}
    names |= {"curve": MEASURED.get(curve, curve)}
    return [
        names | dict(zip(("lag", "median", "low", "high", "runs"), point, strict=True)) | {"band": spread.kind}
        for point in zip(lags, spread.median, spread.low, spread.high, spread.count, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
