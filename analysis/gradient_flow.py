"""Norm of the gradient of one answer's loss at every time step: does what happened at t still reach the answer?

    python analysis/gradient_flow.py runs/demo --out figures/
    python analysis/gradient_flow.py runs/demo --when end

How to read it. One panel a task and gap, or one a cell where cells are many; a line a layer where a network has
several, paler from layer to layer, and hollow where a layer reads backward, from the last step to the first; time runs
to the right, and the answer stands at the dotted line. Solid lines are the norm of dL/dh_t, dashed lines that of
dL/dc_t; thick at the end of training, thin and pale before the first update. A line that falls to the left vanishes
backwards in time, one that rises to the left explodes, a flat one persists.

Of each run the geometric mean over samples is taken (of those whose gradient is not exactly 0); lines are medians over
the seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer than 10 seeds). Over
each panel stands, for the thick lines, the factor by which the norm changes in each step back, from the median over the
seeds of the slope fitted over the quiet steps of the gap, and in brackets the horizon of that slope: the steps until
the norm has fallen to 1/e. A panel shows at most 20 decades above and below the gradient at the answer; a line that
leaves it says where it gets to. Only runs that came to an end are drawn, and the line under the figure says how many
did not.

From the tables gradient_flow, the total gradient of the last answer measured, and gradient_fit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    NothingToDrawError,
    PartLabel,
    Table,
    drawn_from,
    groups,
    join_runs,
    layout,
    line_styles,
    lines_are,
    main,
    plain,
    pooling,
    runs_of,
    save_figure,
)
from lrd.figures.facet import Facet, facets
from lrd.figures.flow_profiles import at_moments, flow_fits, flow_profiles, panels_by_answer
from lrd.figures.gradient_panel import Key, Profile, draw_panel, legend
from lrd.figures.start_and_end import along_t
from lrd.stats import Band, factor_per_step, horizon, median

import numpy as np

MOMENTS = {"init": 0, "end": 1}  # place of the first and of the last measurement


@FigureScript
def draw(study: Any, out: Path, when: str = "both") -> list[Path]:
    """Draw the gradient flow of a study at ``init``, ``end`` or ``both``; return the files written."""
    runs = runs_of(study)
    moments = list(MOMENTS) if when == "both" else [when]
    flow = flow_profiles(study)
    edges = _first_and_last(flow.measurements)
    measurements = _at(flow.measurements, edges, moments)
    if not len(measurements["run_id"]):
        raise NothingToDrawError("no finished run has a gradient flow (was it trained with probe=none?)")
    runs = panels_by_answer(measurements, runs)
    measurements = join_runs(measurements, runs)
    drawn_from(runs, measurements)
    fits = join_runs(_at(flow_fits(study), edges, moments), runs)
    keys = ("panel", "gap", "label", "variable", "moment")
    profiles = {key: along_t(group, "log10_gmean") for key, group in flow.groups(measurements, *keys)}
    slopes = {key: float(median(plain(group["slope"]))) for key, group in groups(fits, *keys)}
    ends = flow.ends(measurements)
    paths: list[Path] = []
    for suffix, lines in facets(key[:3] for key in profiles):
        paths += _page(suffix, lines, profiles, slopes, ends, runs, out)
    return paths


def _first_and_last(measurements: Table) -> dict[str, tuple[int, int]]:
    """Return the updates of the first and of the last measurement of every finished run."""
    finished = ~np.isnan(measurements["ended"])
    names, run = np.unique(measurements["run_id"][finished].astype(str), return_inverse=True)
    update = measurements["update"][finished]
    first, last = np.full(len(names), np.iinfo(np.int64).max), np.zeros(len(names), dtype=np.int64)
    np.minimum.at(first, run, update)
    np.maximum.at(last, run, update)
    return dict(zip(names.tolist(), zip(first.tolist(), last.tolist(), strict=True), strict=True))


def _at(rows: Table, edges: dict[str, tuple[int, int]], moments: Iterable[str]) -> Table:
    """Return the rows of the first and last measurement of every finished run, with ``moment``; a sole one is both."""
    found = np.array([edges.get(run_id, (-1, -1)) for run_id in rows["run_id"]]).reshape(-1, 2)
    return at_moments(rows, {moment: rows["update"] == found[:, MOMENTS[moment]] for moment in moments})


def _page(
    suffix: str,
    lines: list[list[Facet]],
    profiles: dict[tuple[Any, ...], Profile],
    slopes: dict[tuple[Any, ...], float],
    ends: dict[tuple[Any, ...], int],
    runs: Table,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, panels = layout.grid(len(lines), max(map(len, lines)), 1.55)
    table: list[dict[str, object]] = []
    shown: dict[tuple[Any, ...], Profile] = {}
    for line, across in zip(panels, lines, strict=True):
        line[0].set_ylabel("gradient norm")
        for axes in line[len(across) :]:
            axes.axis("off")
        for axes, facet in zip(line, across, strict=False):
            here = {key: one for key, one in profiles.items() if key[:2] == facet.place and key[2] in facet.labels}
            shown |= here
            mine = _in_order({key[2:]: one for key, one in here.items()})
            rates = {key: slopes.get((*facet.place, *key), np.nan) for key in mine}
            draw_panel(axes, mine, rates, styles, ends[facet.place], facet.title)
            for key, (steps, spread) in mine.items():
                table += _rows(dict(zip(("panel", "gap"), facet.place, strict=True)), key, steps, spread, rates[key])
    for axes in panels[-1]:
        axes.set_xlabel("step $t$")
    keys = {key[2:] for key in shown}
    layout.legend(figure, *legend(keys, styles))
    layout.foot(figure, _notes(shown, runs))
    return save_figure(figure, out, f"gradient_flow{suffix}", table)


def _in_order(profiles: dict[Key, Profile]) -> dict[Key, Profile]:
    """Return profiles in the order of drawing: h before c, and thick lines last, so that they lie on top."""
    order = sorted(profiles, key=lambda key: (key[2] == "end", key[0], key[1] != "h"))
    return {key: profiles[key] for key in order}


def _notes(profiles: dict[tuple[Any, ...], Profile], runs: Table) -> list[str]:
    """Return the lines under the figure."""
    counts = [int(spread.count.max()) for _, spread in profiles.values()]
    missing = int((runs["state"] != "finished").sum())
    return [
        "×a (n): the norm changes by a in each step back and is down to 1/e after n steps"
        + ("; of what reads backward, in each step to one that it read before." if _is_backward(profiles) else "."),
        lines_are(runs, counts, (spread for _, spread in profiles.values()))
        + (f" Not drawn: {missing} runs that did not come to an end." if missing else "")
        + pooling(runs),
    ]


def _is_backward(profiles: dict[tuple[Any, ...], Profile]) -> bool:
    return any(isinstance(key[2], PartLabel) and key[2].is_backward for key in profiles)


def _rows(place: dict[str, object], key: Key, steps: np.ndarray, spread: Band, slope: float) -> list[dict[str, object]]:
    """Return the rows of the CSV of one line; slope and horizon stand on each."""
    names = dict(zip(("label", "variable", "moment"), key, strict=True))
    rate = {"slope": slope, "factor": float(factor_per_step(slope)), "horizon": float(horizon(slope))}
    return [
        place
        | names
        | dict(zip(("t", "median", "low", "high", "runs"), point, strict=True))
        | {"band": spread.kind}
        | rate
        for point in zip(steps, spread.median, spread.low, spread.high, spread.count, strict=True)
    ]


if __name__ == "__main__":
    choice = {"choices": [*MOMENTS, "both"], "default": "both", "help": "moment of training (default: both)"}
    sys.exit(main(draw, __doc__, when=choice))
