"""What an update of a run costs in time, by cell, gap and kernel.

    python analysis/cost.py runs/gap_wall --out figures/

How to read it. One panel a task; both axes are logarithmic, so that a kernel whose time is proportional to the length
of the sequence rises as it does. A point is the median over finished runs of their wall time divided by their updates;
the band runs from the 10 % to the 90 % quantile (least to greatest where there are fewer than 10 runs). The time is
all that training took: updates, evaluations and measurements, and whatever else the machine did meanwhile. Runs of a
pack share its time in equal parts: packs of many runs are cheaper by the run, and the line under the figure says how
many there were; and a band of no width says that the runs were one pack, measured once, not that their time is
certain.

A line is of one cell on one kernel and one piece of hardware, never of several: solid is the first that a cell has,
dashed its others, and letters stand for hardware where runs differ in it. A run that went on from a checkpoint on
another kernel or machine is on a line of both, with a plus between them. Records from before lrd kept these are drawn
as "kernel not recorded". Diverged runs count: they cost as much. Runs that did not come to an end are counted only.

From the table runs: seconds, update, kernel, hardware, pack_size and resumed.
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
    Table,
    drawn_from,
    gap_axis,
    groups,
    in_files,
    in_order,
    in_words,
    join_runs,
    layout,
    line_styles,
    main,
    natural,
    plain,
    pooling,
    runs_of,
    save_figure,
    span,
)
from lrd.figures.start_and_end import absent
from lrd.stats import Band, band

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

UNKNOWN = "not recorded"
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))

Line = tuple[str, str, str]  # label, kernel, hardware


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the time per update of the finished runs of a study; return the files written."""
    runs = runs_of(study)
    rows = join_runs(_times(study), runs)
    drawn_from(runs, rows)
    if not len(rows["run_id"]):
        raise NothingToDrawError("no run has come to its end and says how long it took")
    lines = sorted(
        set(zip(rows["label"], rows["kernel"], rows["hardware"], strict=True)),
        key=lambda line: (natural(line[0]), line[1:]),
    )
    paths: list[Path] = []
    tasks = sorted(set(rows["panel"]))
    for suffix, shown in in_files(tasks, 2 * PAGE_COLUMNS):
        inside = {name: column[np.isin(runs["panel"], shown)] for name, column in runs.items()}
        mine = {name: column[np.isin(rows["panel"], shown)] for name, column in rows.items()}
        paths += _page(suffix, shown, mine, inside, lines, line_styles(runs["label"]), out)
    return paths


def _times(study: Any) -> Table:
    """Return ``ms`` an update, kernel, hardware, mean size of the pack and times resumed of each finished run."""
    found: Table = study.columns(
        f"""
        select run_id, 1000 * seconds / "update" as ms, coalesce(kernel, '{UNKNOWN}') as kernel,
            coalesce(hardware, '{UNKNOWN}') as hardware, pack_size, coalesce(resumed, 0) as resumed, sequence_length
        from runs where state = 'finished' and "update" > 0 and seconds > 0 order by run_id
        """
    )
    return found


def _page(
    suffix: str,
    tasks: list[str],
    rows: Table,
    runs: Table,
    lines: list[Line],
    styles: dict[str, LineStyle],
    out: Path,
) -> list[Path]:
    columns = layout.across(min(len(tasks), PAGE_COLUMNS))
    figure, grid = layout.grid(-(-len(tasks) // columns), columns, 2.0, sharey=True)
    panels = [axes for line in grid for axes in line]
    for axes in panels[len(tasks) :]:
        axes.axis("off")
    letters = _letters(lines)
    handles: dict[str, Any] = {}
    table: list[dict[str, Any]] = []
    spreads: list[Band] = []
    for axes, task in zip(panels, tasks, strict=False):
        gaps = sorted({int(gap) for gap in rows["gap"][rows["panel"] == task]})
        gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, 1.15))
        mine = {name: column[rows["panel"] == task] for name, column in rows.items()}
        counts = []
        for (label, kernel, hardware), of_line in groups(mine, "label", "kernel", "hardware"):
            line = (label, kernel, hardware)
            points = list(groups(of_line, "gap"))
            curve = _over(points)
            at = np.array([gap for (gap,), _ in points])
            handles[_name(line, letters)] = _draw(axes, at, curve, styles[label], lines, line)
            table += [_row(task, line, group, curve, place) for place, (_, group) in enumerate(points)]
            counts += curve.count.tolist()
            spreads.append(curve)
        layout.head(axes, task, f"{span(counts)} a point")
    _times_axis(grid[0][0], spreads)
    for line_of_panels in grid:
        line_of_panels[0].set_ylabel("ms per update of a run")
    names = in_order(handles)
    layout.legend(figure, [handles[name] for name in names], names)
    layout.foot(figure, [_note(rows, runs, spreads, letters)])
    return save_figure(figure, out, f"cost{suffix}", table)


def _letters(lines: list[Line]) -> dict[str, str]:
    """Return a letter for each hardware; "" where there is one alone."""
    known = sorted({hardware for *_, hardware in lines}, key=lambda name: (name == UNKNOWN, name))
    return {name: chr(ord("A") + place) if len(known) > 1 else "" for place, name in enumerate(known)}


def _name(line: Line, letters: dict[str, str]) -> str:
    label, kernel, hardware = line
    parts = [label, "kernel not recorded" if kernel == UNKNOWN else kernel, letters[hardware]]
    return ", ".join(part for part in parts if part)


def _over(points: list[tuple[tuple[Any, ...], Table]]) -> Band:
    """Return the band over runs at each gap."""
    values = np.full((max(len(group["ms"]) for _, group in points), len(points)), np.nan)
    for place, (_, group) in enumerate(points):
        values[: len(group["ms"]), place] = group["ms"]
    return band(values)


def _draw(axes: Axes, gaps: Array, curve: Band, style: LineStyle, lines: list[Line], line: Line) -> Any:
    """Draw a line with its band; return its handle."""
    place = [one for one in lines if one[0] == line[0]].index(line)
    options: dict[str, Any] = style.points | {"linestyle": DASHES[place % len(DASHES)]}
    if place:
        options["markerfacecolor"] = "white"
    (handle,) = axes.plot(gaps, curve.median, zorder=3, **options)
    if len(gaps) > 1:
        axes.fill_between(gaps, curve.low, curve.high, color=style.colour, alpha=0.18, linewidth=0)
    else:
        ends = np.nan_to_num([curve.median - curve.low, curve.high - curve.median])
        axes.errorbar(gaps, curve.median, ends, **style.line, elinewidth=0.8, capsize=1.5)
    return handle


def _row(task: str, line: Line, rows: Table, curve: Band, place: int) -> dict[str, Any]:
    sizes = plain(rows["pack_size"])
    known = sizes[np.isfinite(sizes)]
    return {
        "panel": task,
        **dict(zip(("label", "kernel", "hardware"), line, strict=True)),
        "gap": int(rows["gap"][0]),
        "sequence_length": float(np.median(rows["sequence_length"])),
        **{f"{name}_ms": float(getattr(curve, name)[place]) for name in ("median", "low", "high")},
        "runs": int(curve.count[place]),
        "band": curve.kind,
        "least_pack": float(known.min()) if known.size else None,
        "greatest_pack": float(known.max()) if known.size else None,
        "resumed": int((rows["resumed"] > 0).sum()),
    }


def _times_axis(axes: Axes, spreads: list[Band]) -> None:
    """Lay out the axis of times that all panels share."""
    times = np.concatenate([of for one in spreads for of in (one.median, one.low, one.high)])
    axes.set_ylim(np.nanmin(times) / 1.2, np.nanmax(times) * 1.2)  # or a single time would have no axis
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _note(rows: Table, runs: Table, spreads: list[Band], letters: dict[str, str]) -> str:
    known = sorted(set(rows["hardware"]), key=letters.__getitem__)
    places = "; ".join(f"{letters[name]}: {name}" if letters[name] else name for name in known)
    sizes = plain(rows["pack_size"])
    sizes = sizes[np.isfinite(sizes)]
    packs = "not recorded"
    if sizes.size:
        low, high = f"{sizes.min():.2g}", f"{sizes.max():.2g}"
        packs = low if low == high else f"{low}–{high}"
    resumed = int((rows["resumed"] > 0).sum())
    return (
        f"Lines: median over runs; {in_words(spread.kind for spread in spreads)}. Wall time of training, with "
        "evaluations and measurements, in equal parts to the runs of a pack. "
        f"Hardware: {places}. Runs in a pack: {packs}."
        + (f" Went on from a checkpoint: {resumed} runs." if resumed else "")
        + absent(runs, rows["run_id"]).replace("not measured", "without a time")
        + pooling(runs)
    )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
