"""Vanishing, preserving or exploding, through training: the factor per step back, and how far back a gradient gets.

    python analysis/regimes.py runs/demo --out figures/

How to read it. A line of panels a task and gap (and cell, where cells are many), one curve a cell and state variable
(solid dL/dh_t, dashed dL/dc_t), updates to the right on a logarithmic axis that begins at 0. Left (or above): the
factor by which the norm changes in each step back, from the slope fitted over the quiet steps of the gap. In the grey
stripe between 1/e and e times of the gradient are left over all of these steps, and it is preserved; below, it
vanishes; above, it explodes. A filled marker means that more than half of the runs are of one regime, each by the 95 %
confidence interval of its own slope over samples (``lrd.stats.regimes``); an empty one that they are not, or that
intervals reach across a border.

Middle and right, or below: the horizon, how many steps back from the end of the gap the norm itself is down to 1/e and
to 1/1000 of what it is there; pale, the same from the slope, which also speaks of steps that the gap does not have. The
dotted line is the gap: a curve below it does not reach across. What does not fall so far within the gap stands at the
top, "beyond". Stars mark the update at which the median run of a cell had solved the task.

Lines are medians over the seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer
than 10 seeds). A run that ended counts with its last measurement from there on.

From the table gradient_fit, and the table runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    LineStyle,
    Table,
    drawn_from,
    groups,
    in_files,
    join_runs,
    layout,
    line_styles,
    lines_are,
    main,
    runs_of,
    save_figure,
    whole_of,
)
from lrd.figures.facet import labels_at, together
from lrd.figures.flow_profiles import flow_fits, flow_profiles, panels_by_answer
from lrd.figures.gradient_panel import DASHES, OTHERS, symbol
from lrd.figures.label_legend import part_entries
from lrd.figures.regime_curve import HORIZONS, RegimeCurve
from lrd.figures.sheet import LINES, Place, Track, in_order
from lrd.figures.start_and_end import THIN
from lrd.figures.through_training import need_measurements_between, note, solved_at

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

PANELS = 1 + len(HORIZONS)
FACTORS = (0.0, 3.0)  # what the left panels show at most; everything within is drawn
Curves = dict[Track, RegimeCurve]
Line = tuple[Place, str, Curves]  # where, the cell if it is alone, what is drawn


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw regimes and horizons of a study through training; return the files written."""
    runs = runs_of(study)
    runs = panels_by_answer(flow_profiles(study).measurements, runs)
    fits = flow_fits(study)
    need_measurements_between(fits)
    rows = join_runs(fits, runs)
    drawn_from(runs, rows)
    curves: dict[Place, Curves] = {}
    for (panel, gap, label, variable), group in groups(rows, "panel", "gap", "label", "variable"):
        curves.setdefault((panel, int(gap)), {})[label, variable] = RegimeCurve(group)
    lines = [
        (place, name, {track: curve for track, curve in curves[place].items() if track[0] in alike})
        for place, labels in labels_at((*place, label) for place in curves for label, _ in curves[place]).items()
        for name, alike in together(labels)
    ]
    solved = solved_at(study, runs)
    paths: list[Path] = []
    for suffix, shown in in_files(lines, max(1, LINES // -(-PANELS // layout.across(PANELS)))):
        paths += _page(suffix, shown, solved, runs, out)
    return paths


def _page(suffix: str, curves: list[Line], solved: dict[Any, Any], runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, panels = layout.folded(len(curves), PANELS, 1.4)
    table: list[dict[str, object]] = []
    for line, (place, alone, mine) in zip(panels, curves, strict=True):
        mine = {track: mine[track] for track in in_order(mine)}
        longest = max(curve.updates[-1] for curve in mine.values())
        for axes in line:
            _updates(axes, longest)
        _factors(line[0], mine, styles)
        for axes, name in zip(line[1:], HORIZONS, strict=True):
            _horizons(axes, name, mine, styles, place[1])
        _stars(
            line[0],
            {label: solved[*place, label][0] for label in dict.fromkeys(whole_of(label) for label, _ in mine)},
            styles,
        )
        layout.head(line[0], f"{alone}: " * bool(alone) + f"{place[0]}, $T$ = {place[1]}")
        line[0].set_ylabel("factor per step back")
        line[1].set_ylabel("steps to 1/e")
        line[2].set_ylabel("steps to 1/1000")
        for track, curve in mine.items():
            table += _rows(place, track, curve, solved[*place, whole_of(track[0])][0])
    for axes in panels[-1]:
        cell = axes.get_subplotspec()
        if cell is not None and cell.is_last_row():
            axes.set_xlabel("update")
    _legend(figure, {track for *_, mine in curves for track in mine}, styles)
    spreads = [curve.bands["factor"] for *_, mine in curves for curve in mine.values()]
    counts = [int(spread.count.max()) for spread in spreads]
    text = lines_are(runs, counts, spreads)
    layout.foot(
        figure, [text + note(runs), "Filled: more than half of the runs are of one regime. Stripe: preserving."]
    )
    return save_figure(figure, out, f"regimes{suffix}", table)


def _updates(axes: Axes, longest: int) -> None:
    """Make x the axis of updates: logarithmic from 1 on, with room for 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    axes.set_xlim(-0.15, max(longest, 1) * 1.25)
    axes.xaxis.set_major_locator(FixedLocator([0, *(10**power for power in range(12) if 10**power <= longest)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda update, _: f"{update:g}" if update < 1e4 else f"{update / 1e3:g}k")
    )


def _factors(axes: Axes, curves: Curves, styles: dict[str, LineStyle]) -> None:
    steps = np.concatenate([curve.steps for curve in curves.values()])
    steps = steps[steps > 0]
    if steps.size:  # the same quiet steps for all, but for gradients that are exactly 0 at some of them
        axes.axhspan(np.exp(-1 / steps.max()), np.exp(1 / steps.max()), color="0.86", linewidth=0, zorder=0.5)
    axes.axhline(1, color="0.25", linewidth=0.6, zorder=1)
    for (label, variable), curve in curves.items():
        style, spread = styles[label], curve.bands["factor"]
        values = np.where((spread.median >= FACTORS[0]) & (spread.median <= FACTORS[1]), spread.median, np.nan)
        axes.plot(curve.updates, values, **style.line, linestyle=DASHES.get(variable, OTHERS))
        bounds = np.clip(spread.low, *FACTORS), np.clip(spread.high, *FACTORS)
        axes.fill_between(curve.updates, *bounds, color=style.colour, alpha=0.18, linewidth=0)
        for chosen, face in ((curve.decided, style.colour), (~curve.decided, "white")):
            axes.plot(
                curve.updates[chosen], values[chosen], **style.points, linestyle="none", markerfacecolor=face,
                markeredgewidth=0.8, zorder=3,
            )  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _stars(axes: Axes, solved: dict[str, float], styles: dict[str, LineStyle]) -> None:
    """Mark at the bottom when the median run of each cell had solved the task; inf has no mark."""
    options: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "black", "markeredgewidth": 0.4, "zorder": 4}
    for label, update in solved.items():
        place = axes.get_xaxis_transform()
        axes.plot([update], [0.05], "*", color=styles[label].colour, transform=place, clip_on=False, **options)


def _horizons(axes: Axes, name: str, curves: Curves, styles: dict[str, LineStyle], gap: int) -> None:
    top = 10.0 ** np.ceil(np.log10(max(gap, 2)) + 0.5)
    for (label, variable), curve in curves.items():
        style, spread, fitted = styles[label], curve.bands[name], curve.bands[f"{name}_of_slope"]
        options: dict[str, Any] = style.line | {"linestyle": DASHES.get(variable, OTHERS), "clip_on": False}
        axes.plot(curve.updates, _within(spread.median, top), marker=style.marker, markersize=2.5, **options)
        axes.plot(curve.updates, _within(fitted.median, top), **THIN, **options)
        bounds = _within(spread.low, top), _within(spread.high, top)
        axes.fill_between(curve.updates, *bounds, color=style.colour, alpha=0.18, linewidth=0)
    axes.axhline(gap, color="0.25", linewidth=0.9, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(0.8, top)
    ticks = [10.0**power for power in range(int(np.log10(top)))]
    axes.yaxis.set_major_locator(FixedLocator([*ticks, top]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda steps, _: "beyond" if steps >= top else f"{steps:g}"))


def _within(steps: np.ndarray, top: float) -> np.ndarray:
    """Return steps as they fit on a logarithmic axis: what lies below or beyond it stands at its end."""
    return np.where(np.isnan(steps), np.nan, np.clip(steps, 0.8, top))


def _legend(figure: Any, tracks: set[Track], styles: dict[str, LineStyle]) -> None:
    entries = []
    for label, variable in in_order({(whole_of(label), variable) for label, variable in tracks}):
        style = styles[label]
        handle = Line2D([], [], **style.points, linestyle=DASHES.get(variable, OTHERS))
        entries.append((handle, f"{label}, ${symbol(variable)}$"))
    entries += part_entries(label for label, _ in tracks)
    entries.append((Line2D([], [], color="0.25", **THIN), "of the slope"))
    entries.append((Line2D([], [], color="0.25", linewidth=0.9, linestyle=":"), "gap"))
    solved = Line2D([], [], color="white", marker="*", markersize=5, markeredgecolor="black", markeredgewidth=0.5)
    entries.append((solved, "solved"))
    layout.legend(figure, [handle for handle, _ in entries], [name for _, name in entries])


def _rows(place: Place, track: Track, curve: RegimeCurve, solved: float) -> list[dict[str, object]]:
    names = {"panel": place[0], "gap": place[1], "label": track[0], "variable": track[1]}
    rows: list[dict[str, object]] = []
    for at, update in enumerate(curve.updates):
        row: dict[str, object] = names | {"update": update}
        for name, spread in curve.bands.items():
            row[name] = spread.median[at]
            if not name.endswith("_of_slope"):  # drawn without a band
                row |= {f"{name}_low": spread.low[at], f"{name}_high": spread.high[at]}
        row |= {"runs": curve.bands["factor"].count[at]} | {regime: of[at] for regime, of in curve.runs.items()}
        rows.append(row | {"steps": curve.steps[at], "solved_at": solved, "band": curve.bands["factor"].kind})
    return rows


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
