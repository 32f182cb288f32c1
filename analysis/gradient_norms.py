"""The training loss's own gradient through training: at which updates does it vanish, and does it ever explode?

    python analysis/gradient_norms.py runs/demo --out figures/

How to read it. One panel a task, gap, cell and state variable, and a layer and direction where a network has several;
updates run to the right. A line is the norm of dL/dh_t or dL/dc_t, L the training loss of one sample over all of its
scored steps, at one step t of five, from the first of the sequence (dark) to the last (bright). The figure
gradient_flow is of the loss of one answer, measured now and then on probe sequences; this one is of every sample of
every update: a point sums up the updates since the point before it. Solid is the geometric mean (of the norms that are
not exactly 0), dotted the greatest norm of all. Where the dark line lies far below the bright one, what was shown early
teaches nothing; where a dotted line leaps, the gradient exploded, if only once. The dashed vertical line is the update
at which the median run met the task's criterion; no line, fewer than half of the runs did. The numbers over the panel
say how many did, of how many.

Runs have these norms where their kernel gives them for free, and where they were asked for. Where a study has runs
without them, the line under the figure says how many runs it shows, of how many.

Lines are medians over the seeds, bands of the solid ones run from the 10 % to the 90 % quantile (least to greatest
where there are fewer than 10 seeds). A run that ended counts with its last point from there on; in one that diverged
only the updates before count. A panel shows at most 20 decades above and below the last step's gradient; the CSV has
all.

From the table gradient_norms (training.gradient_norms), and the table runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    Array,
    FigureScript,
    NotMeasuredError,
    Table,
    drawn_from,
    groups,
    join_runs,
    layout,
    lines_are,
    main,
    plain,
    runs_of,
    save_figure,
    whole_of,
)
from lrd.figures.gradient_panel import limits_around, powers_of_ten, title_of
from lrd.figures.sheet import Place, Sheet, sheets
from lrd.figures.through_training import Moments, moments_of, note, solved_at
from lrd.stats import Band, band, median

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

STEPS = ("first step", "a quarter in", "half-way", "three quarters in", "last step")  # of the sequence
MIDDLE: dict[str, Any] = {"linewidth": 1.1, "marker": ".", "markersize": 3}
GREATEST: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (1, 1.2))}
SOLVED: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (4, 2))}
Key = tuple[Any, ...]  # panel, gap, label, variable


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the training gradient of a study through training; return the files written."""
    if "gradient_norms" not in study.tables:
        way_out = "train with training.gradient_norms=true"
        raise NotMeasuredError(f"no run recorded the gradient norms of its updates: {way_out}")
    runs = runs_of(study)
    rows = join_runs(_rows_of_steps(study), runs)
    drawn_from(runs, rows)
    found = {key: _lines(group) for key, group in groups(rows, "panel", "gap", "label", "variable")}
    solved = solved_at(study, runs)
    paths: list[Path] = []
    with_norms = len(set(rows["run_id"]))
    for sheet in sheets(found):
        paths += _sheet(sheet, found, solved, runs, with_norms, out)
    return paths


def _rows_of_steps(study: Any) -> Table:
    """Return the rows of ``STEPS`` alone, with ``step``, the place in STEPS, and ``ended`` (``through_training``)."""
    found: Table = study.columns(
        f"""
        with chosen as (
            select run_id, step, last * step // {len(STEPS) - 1} as t
            from (select run_id, max(t) as last from gradient_norms group by run_id), range({len(STEPS)}) as r(step)
        )
        select norms.run_id, norms.update, layer, direction, variable, step, t,
            coalesce(log10_gmean, 'nan'::double) as middle, coalesce(log10_max, 'nan'::double) as greatest, ended
        from gradient_norms as norms
        join chosen using (run_id, t)
        join (select run_id, case when state = 'finished' then update end as ended from runs) using (run_id)
        order by run_id, norms.update, layer, direction desc, variable, step
        """
    )
    return found | {"ended": plain(found["ended"])}


def _lines(rows: Table) -> tuple[Moments, list[tuple[int, Band, Band]]]:
    """Return the moments of a panel, and for each of ``STEPS`` t and the bands of the middle and the greatest norm."""
    moments = moments_of(rows)
    step = rows["step"].astype(np.int64)
    middle, greatest = (moments.laid_out(rows[name], step) for name in ("middle", "greatest"))
    t = [int(median(plain(rows["t"][step == at]))) for at in range(len(STEPS))]
    return moments, [(t[at], band(middle[..., at].T), band(greatest[..., at].T)) for at in range(len(STEPS))]


def _sheet(
    sheet: Sheet,
    found: dict[Key, tuple[Moments, list[tuple[int, Band, Band]]]],
    solved: dict[Key, tuple[float, int, int]],
    runs: Table,
    with_norms: int,
    out: Path,
) -> list[Path]:
    figure, panels = layout.grid(len(sheet.lines), max(2, sheet.across), 1.45)
    table: list[dict[str, object]] = []
    bands: list[Band] = []
    for line, (place, tracks) in zip(panels, sheet.lines, strict=True):
        limits = _limits([found[key][1] for key in found if key[:2] == place])
        for axes in line[len(tracks) :]:
            axes.axis("off")
        for axes, track in zip(line, tracks, strict=False):
            moments, lines = found[*place, *track]
            _panel(axes, moments.updates, lines, limits)
            updates, count, of = solved[*place, whole_of(track[0])]
            if np.isfinite(updates):
                axes.axvline(updates, color="0.25", **SOLVED)
            layout.head(axes, title_of(track), f"{count}/{of}")
            bands += [middle for _, middle, _ in lines]
            table += _rows(place, track, moments.updates, lines, updates)
        line[0].set_ylabel(f"{place[0]}, $T$ = {place[1]}\n" + r"$\Vert\partial L/\partial s_t\Vert$")
    for axes in panels[-1]:
        axes.set_xlabel("update")
    layout.legend(figure, *_legend(any(np.isfinite(updates) for updates, *_ in solved.values())))
    counts = [int(one.count.max(initial=0)) for one in bands]
    every = len(runs["run_id"])
    recorded = "" if with_norms == every else f" {with_norms} of {every} runs recorded these norms."
    what = "L: training loss of a sample; solid: geometric mean over samples and updates since the point before."
    solved_by = f"n/m: n of m runs solved it.{recorded}"
    layout.foot(figure, [what, lines_are(runs, counts, bands) + note(runs), solved_by])
    return save_figure(figure, out, f"gradient_norms{sheet.suffix}", table)


def _limits(panels: list[list[tuple[int, Band, Band]]]) -> tuple[float, float]:
    """Return the limits, log10, of a line of panels, around the gradient at the last step."""
    drawn = np.concatenate([one.median for lines in panels for _, *both in lines for one in both])
    last = np.concatenate([lines[-1][1].median for lines in panels])
    return limits_around(drawn, last)


def _panel(axes: Axes, updates: Array, lines: list[tuple[int, Band, Band]], limits: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_ylim(*limits)
    powers_of_ten(axes)
    for colour, (_, middle, greatest) in zip(_colours(), lines, strict=True):
        low, high = np.maximum(middle.low, limits[0]), np.minimum(middle.high, limits[1])
        axes.fill_between(updates, low, high, color=colour, alpha=0.15, linewidth=0)
        for spread, options in ((middle, MIDDLE), (greatest, GREATEST)):
            axes.plot(updates, np.where(np.isfinite(spread.median), spread.median, np.nan), color=colour, **options)


def _colours() -> list[Any]:
    """Return a colour for each of ``STEPS``: dark for the first."""
    return [colormaps[layout.colour_map_of_pictures()](0.82 * at / (len(STEPS) - 1)) for at in range(len(STEPS))]


def _legend(solved: bool) -> tuple[list[Any], list[str]]:
    handles = [Line2D([], [], color=colour, **MIDDLE) for colour in _colours()]
    names = [*STEPS, "greatest of all samples", "half of the runs solved it"]
    handles += [Line2D([], [], color="0.25", **options) for options in (GREATEST, SOLVED)[: 1 + solved]]
    return handles, names[: len(handles)]


def _rows(
    place: Place, track: tuple[str, str], updates: Array, lines: list[tuple[int, Band, Band]], solved: float
) -> list[dict[str, object]]:
    names = {"panel": place[0], "gap": place[1], "label": track[0], "variable": track[1]}
    return [
        names
        | {"t": t, "step": step, "update": update, "median": middle.median[at]}
        | {"low": middle.low[at], "high": middle.high[at], "greatest": greatest.median[at]}
        | {"runs": middle.count[at], "band": middle.kind, "solved_at": solved}
        for step, (t, middle, greatest) in zip(STEPS, lines, strict=True)
        for at, update in enumerate(updates)
    ]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
