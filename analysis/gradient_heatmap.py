"""Gradient flow through training as a picture: when in training, and how far back, does the gradient arrive?

    python analysis/gradient_heatmap.py runs/demo --out figures/

How to read it. One panel a task, gap, cell and state variable, and a layer and direction where a network has several.
Time steps t run to the right, up to the answer (black triangle; of bidirectional networks also beyond it); training
runs down, a row for each measurement, evenly spaced although measurements are log-spaced. Colour is log10 of the norm
of dL/dh_t or dL/dc_t, L the loss of that one answer: bright, the gradient arrives; dark, it has vanished. The colours
of a line of panels are the same, so that its cells can be compared; a pointed end of the colour bar says that norms
reach further than the 20 decades above and below the gradient at the answer that are shown. Grey is a gradient of
exactly 0, white was not measured. The bar over a panel spans the steps at which what the answer needs can have been
shown. The dashed line is the update at which the median run met the task's criterion; no line, fewer than half of the
runs did. The numbers over the panel say how many did, of how many.

Of each run the geometric mean over samples is taken (of those whose gradient is not exactly 0), then the median over
the seeds. A run that ended counts with its last measurement from there on.

From the tables gradient_flow, the total gradient of the last answer measured, and runs: solved_at and the lags.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    Table,
    drawn_from,
    drawn_over,
    groups,
    join_runs,
    layout,
    main,
    plain,
    runs_of,
    save_figure,
    span,
    whole_of,
)
from lrd.figures.flow_profiles import flow_profiles, panels_by_answer
from lrd.figures.gradient_panel import DECADES, symbol
from lrd.figures.sheet import Place, Sheet, Track, sheets
from lrd.figures.through_training import Moments, moments_of, need_measurements_between, note, solved_at
from lrd.stats import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

MOST_NAMED = 6  # rows of a panel whose update is written beside them
Key = tuple[Any, ...]
Picture = tuple[Moments, np.ndarray, np.ndarray, np.ndarray]  # steps, median, runs


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the gradient flow of a study through training; return the files written."""
    runs = runs_of(study)
    flow = flow_profiles(study)
    need_measurements_between(flow.measurements)
    runs = panels_by_answer(flow.measurements, runs)
    measurements = join_runs(flow.measurements, runs)
    drawn_from(runs, measurements)
    keys = ("panel", "gap", "label", "variable")
    pictures = {key: _picture(group) for key, group in flow.groups(measurements, *keys)}
    ends = flow.ends(measurements)
    shown = _shown(study, runs, {place for place in ends if "all" not in set(measurements["answer"])})
    solved = solved_at(study, runs)
    paths: list[Path] = []
    for sheet in sheets(pictures):
        paths += _sheet(sheet, pictures, ends, shown, solved, runs, out)
    return paths


def _picture(rows: Table) -> Picture:
    """Return the moments, the steps t, and [moments, steps] the median over runs and the number of runs."""
    moments = moments_of(rows)
    steps, place = np.unique(rows["t"], return_inverse=True)
    values = moments.laid_out(rows["log10_gmean"], place).swapaxes(0, 1)
    return moments, steps, median(values), (~np.isnan(values)).sum(axis=0)


def _shown(study: Any, runs: Table, places: set[Place]) -> dict[Place, tuple[int, int]]:
    """Return the smallest and largest lag of what an answer needs, for each task and gap, if known."""
    found = study.columns("select run_id, smallest_lag, largest_lag from runs order by run_id")
    lags: dict[Place, tuple[int, int]] = {}
    for place, group in groups(join_runs(found, runs), "panel", "gap"):
        near, far = (plain(group[name]) for name in ("smallest_lag", "largest_lag"))
        if place in places and np.isfinite(near).any() and np.isfinite(far).any():
            lags[place] = int(np.nanmin(near)), int(np.nanmax(far))
    return lags


def _sheet(
    sheet: Sheet,
    pictures: dict[Key, Picture],
    ends: dict[Place, int],
    shown: dict[Place, tuple[int, int]],
    solved: dict[Key, tuple[float, int, int]],
    runs: Table,
    out: Path,
) -> list[Path]:
    figure, panels = layout.grid(len(sheet.lines), max(2, sheet.across), 1.35)
    table: list[dict[str, object]] = []
    for line, (place, tracks) in zip(panels, sheet.lines, strict=True):
        colours, extend = _colours([pictures[key] for key in pictures if key[:2] == place], ends[place])
        for axes in line[len(tracks) :]:
            axes.axis("off")
        for axes, track in zip(line, tracks, strict=False):
            picture = pictures[*place, *track]
            image = _panel(axes, picture, colours)
            _landmarks(axes, picture[1], ends[place], shown.get(place))
            updates, count, of = solved[*place, whole_of(track[0])]
            _mark_solved(axes, picture[0].updates, updates)
            title = layout.fitted(axes, f"{track[0]}, ${symbol(track[1])}$")
            axes.set_title(title, loc="left", pad=6 * layout.scale())  # over the landmarks
            axes.set_title(
                f"{count}/{of}", loc="right", pad=6 * layout.scale(), fontsize=layout.small(), color=layout.GREY
            )
            table += _rows(place, track, picture, updates)
        line[0].set_ylabel(f"{place[0]}, $T$ = {place[1]}\nupdate")
        bar = figure.colorbar(image, ax=line, extend=extend, fraction=0.05, pad=0.01, aspect=12)
        bar.set_label(r"$\log_{10}\Vert\partial L/\partial s_t\Vert$")
        bar.outline.set_linewidth(0.4)
        bar.ax.yaxis.set_major_locator(MaxNLocator(4))
    for axes in panels[-1]:
        axes.set_xlabel("step $t$")
    layout.foot(figure, _notes(sheet, pictures, runs))
    return save_figure(figure, out, f"gradient_heatmap{sheet.suffix}", table)


def _colours(pictures: list[Picture], answer: int) -> tuple[Normalize, str]:
    """Return the scale of a line of panels, and at which of its ends there are norms beyond it."""
    finite = np.concatenate([values[np.isfinite(values)] for *_, values, _ in pictures])
    if not finite.size:
        return Normalize(-1, 0), "neither"
    nearest = np.concatenate([values[:, np.abs(steps - answer).argmin()] for _, steps, values, _ in pictures])
    nearest = nearest[np.isfinite(nearest)]
    at_answer = float(np.median(nearest if nearest.size else finite))
    low, high = max(finite.min(), at_answer - DECADES), min(finite.max(), at_answer + DECADES)
    below, above = bool(finite.min() < low), bool(finite.max() > high)
    ends = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    return Normalize(low, max(high, low + 1e-9)), ends[below, above]


def _panel(axes: Axes, picture: Picture, colours: Normalize) -> Any:
    moments, steps, values, _ = picture
    corners = (steps[0] - 0.5, steps[-1] + 0.5, len(values) - 0.5, -0.5)
    options: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest", "extent": corners}
    nothing = np.ma.masked_where(~np.isneginf(values), np.zeros_like(values))
    axes.imshow(nothing, cmap="gray", vmin=-2, vmax=1, **options)  # two thirds of white
    finite = np.clip(np.nan_to_num(values, nan=np.nan, neginf=np.nan, posinf=1e300), -1e300, 1e300)
    image = axes.imshow(np.ma.masked_invalid(finite), cmap=layout.colour_map_of_pictures(), norm=colours, **options)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    named = np.arange(0, len(values), -(-len(values) // MOST_NAMED))
    named[-1] = len(values) - 1  # the last one always
    axes.yaxis.set_major_locator(FixedLocator(named.tolist()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda row, _: f"{moments.updates[round(row)]}"))
    return image


def _landmarks(axes: Axes, steps: np.ndarray, answer: int, lags: tuple[int, int] | None) -> None:
    """Mark the answer, and where what it needs can have been shown, just over the panel."""
    over: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False, "color": "0.1"}
    axes.plot([answer], [1.04], marker="v", markersize=3, **over)
    if lags is not None:
        first, last = (max(answer - lag, int(steps[0])) for lag in lags[::-1])
        axes.plot([first - 0.5, last + 0.5], [1.035] * 2, linewidth=1.6, solid_capstyle="butt", **over)


def _mark_solved(axes: Axes, updates: np.ndarray, solved: float) -> None:
    """Draw a line at the update at which the median run had solved the task, between the measurements around it."""
    if np.isfinite(solved):
        row = np.interp(np.log1p(solved), np.log1p(updates), np.arange(len(updates)))
        outline = [withStroke(linewidth=2.2, foreground="black")]
        axes.axhline(row, color="white", linewidth=1.1, linestyle=(0, (4, 2)), path_effects=outline)


def _notes(sheet: Sheet, pictures: dict[Key, Picture], runs: Table) -> list[str]:
    counts = [int(pictures[*place, *track][3].max()) for place, tracks in sheet.lines for track in tracks]
    return [
        f"Median over {drawn_over(runs)} ({span(counts)}); one that ended counts with its last measurement."
        + note(runs),
        "▼ answer; bar: steps that may show what it needs; dashed: half of the runs solved it, n/m: n of m; grey: 0.",
    ]


def _rows(place: Place, track: Track, picture: Picture, solved: float) -> list[dict[str, object]]:
    moments, steps, values, counts = picture
    names = {"panel": place[0], "gap": place[1], "label": track[0], "variable": track[1]}
    return [
        names | {"update": update, "t": t, "median": values[row, at], "runs": counts[row, at], "solved_at": solved}
        for row, update in enumerate(moments.updates)
        for at, t in enumerate(steps)
    ]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
