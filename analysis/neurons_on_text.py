"""What single units do as they read: each character of a passage on the colour of a unit's activation there.

    python analysis/neurons_on_text.py runs/text --out figures/

How to read it. A panel is one unit of one trained network along a passage of text, after Karpathy, Johnson & Fei-Fei
(2015). The colour of a character is the unit's activation after it was read, over the largest of the passage, as the
bar below says. The arrow is the end of a line, a character like others. Underlined is what the unit was picked for:
characters inside quotes, or inside brackets. Of the place in the line nothing is underlined: a unit that follows it
changes steadily from the left to the right.

Over the panel stand the layer, the state variable with the number of the unit, and r, the correlation of unit and
feature: not in this passage, but in all of the text's last part, of which nothing was seen when units were picked. In
brackets: its range over seeds, and what the best of so many units would score by chance. An r not above that says that
no unit follows the feature, however clear the passage seems.

A unit is picked for each feature by the probe, the best of all layers and state variables; others are shown where the
probe was asked for them (probe.text_units.units). Of several seeds the network is shown whose best unit has the median
score (of two middle ones the lower). Only runs that came to an end are drawn, as they were at their end.

From the tables text_units and text_activations, of the probe text_units, and runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    NothingToDrawError,
    Table,
    drawn_from,
    drawn_over,
    groups,
    in_files,
    join_runs,
    layout,
    main,
    plain,
    pooling,
    runs_of,
    save_figure,
    span,
)
from lrd.figures.coloured_text import columns_in, draw_passage, height_of, places_of
from lrd.figures.start_and_end import absent, need_probe, rows_at

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LINES = 6  # of panels on a page
NARROWEST = 3.2  # width of a panel, inches
HEAD = 0.36  # height of what stands over a passage, inches
FEATURES = {"quote": "inside quotes", "bracket": "open brackets", "line": "place in the line"}
UNIT = ("layer", "variable", "unit")
ALONG = f"{', '.join(UNIT)}, feature, t, character, level, value"
SCORED = "layer, variable, unit, feature, selecting, rank, score, chance"
KEPT = f"""(select * from text_units semi join text_activations
    using (run_id, "update", {", ".join(UNIT)}, feature))"""

Place = tuple[str, int, str, int]  # panel, gap, feature, number of the unit among those kept


@dataclass(frozen=True)
class Shown:
    """One panel: a unit of the median run, its score, and the scores of the best units of all runs."""

    label: str
    run_id: str
    unit: tuple[int, str, int]
    score: float
    chance: float
    scores: tuple[float, ...]
    passage: Table


Line = tuple[Place, list[Shown]]


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw picked units along a passage of text; return the files written."""
    need_probe(study, "text_units")
    runs = runs_of(study)
    scores = _at_end(rows_at(study, KEPT, SCORED))
    if not len(scores["run_id"]):
        raise NothingToDrawError("no finished run was measured by the probe `text_units` at its end, or none has units")
    scores = join_runs(scores, runs)
    drawn_from(runs, scores)
    activations = _at_end(rows_at(study, "text_activations", ALONG))
    lines, columns = _lines(_panels(scores, activations))
    several = len({place[:2] for place, _ in lines}) > 1
    paths: list[Path] = []
    for suffix, page in in_files(lines, LINES):
        paths += _page(f"neurons_on_text{suffix}", page, columns, several, runs, list(scores["run_id"]), out)
    return paths


def _at_end(rows: Table) -> Table:
    """Return the rows of the end of training."""
    last = rows["moment"] == "end"
    return {name: column[last] for name, column in rows.items()}


def _panels(scores: Table, activations: Table) -> dict[Place, list[Shown]]:
    """Return the panels of each place, one a label."""
    passages = dict(groups(activations, "run_id", "feature", *UNIT))
    panels: dict[Place, list[Shown]] = {}
    for (panel, gap, label, feature), rows in groups(scores, "panel", "gap", "label", "feature"):
        # Counted in the direction in which the unit was picked: one that turns round has learned nothing.
        signed = np.sign(plain(rows["selecting"])) * plain(rows["score"])
        of_run = {run_id: np.flatnonzero(rows["run_id"] == run_id) for run_id in sorted(set(rows["run_id"]))}
        of_run = {run_id: places[np.argsort(rows["rank"][places])] for run_id, places in of_run.items()}
        best = {run_id: float(np.nan_to_num(signed[places[0]])) for run_id, places in of_run.items()}
        chosen = sorted(of_run, key=lambda run_id: best[run_id])[(len(of_run) - 1) // 2]
        for number, place in enumerate(of_run[chosen]):
            unit = tuple(rows[name][place] for name in UNIT)
            score, chance = (float(plain(rows[name])[place]) for name in ("score", "chance"))
            found = Shown(
                label, chosen, unit, score, chance, tuple(sorted(best.values())), passages[chosen, feature, *unit]
            )
            panels.setdefault((panel, gap, feature, number), []).append(found)
    return panels


def _lines(panels: dict[Place, list[Shown]]) -> tuple[list[Line], int]:
    """Return the panels in lines, of one place each, and how many panels a line has at most."""
    columns = layout.across(2, NARROWEST) if max(map(len, panels.values())) > 1 else 1
    order = sorted(panels, key=lambda place: (place[:2], list(FEATURES).index(place[2]), place[3]))
    starts = [(place, start) for place in order for start in range(0, len(panels[place]), columns)]
    return [(place, panels[place][start : start + columns]) for place, start in starts], columns


def _page(
    name: str, lines: Sequence[Line], columns: int, several: bool, runs: Table, measured: Sequence[str], out: Path
) -> list[Path]:
    figure, grid = layout.grid(len(lines), columns, 1.0)
    across = columns_in(figure.get_figwidth() / columns - 0.15)
    rows = [max(places_of(list(shown.passage["character"]), across)[-1][0] + 1 for shown in some) for _, some in lines]
    heights = [HEAD + height_of(count) for count in rows]
    figure.set_figheight(layout.scale() * sum(heights))
    grid[0][0].get_gridspec().set_height_ratios(heights)  # type: ignore[union-attr]
    table: list[dict[str, object]] = []
    for axes_of, (place, some), count in zip(grid, lines, rows, strict=True):
        for axes in axes_of[len(some) :]:
            axes.axis("off")
        for axes, shown in zip(axes_of, some, strict=False):
            passage = shown.passage
            largest = np.abs(passage["value"]).max() or 1.0
            under = np.flatnonzero((plain(passage["level"]) > 0) & (place[2] != "line")).tolist()
            picture = draw_passage(axes, list(passage["character"]), passage["value"] / largest, under, across, count)
            of_place = f", {place[0]}, $T$ = {place[1]}" if several else ""
            layout.head(axes, f"{shown.label}: {FEATURES[place[2]]}{of_place}", _note(shown, first=place[3] == 0))
            table += _rows(place, shown)
    _add_bar(figure, picture, grid)
    layout.foot(figure, _foot(lines, runs, measured))
    return save_figure(figure, out, name, table)


def _add_bar(figure: Figure, picture: Any, grid: list[list[Axes]]) -> None:
    everywhere = [axes for line in grid for axes in line]
    bar = figure.colorbar(picture, ax=everywhere, location="bottom", shrink=0.35, aspect=50, pad=0.02, ticks=[-1, 0, 1])
    bar.set_label("activation over the largest of the passage", size=layout.small())
    bar.ax.tick_params(labelsize=layout.small())
    bar.outline.set_linewidth(0.4)
    figure.set_figheight(figure.get_figheight() + 0.4 * layout.scale())


def _note(shown: Shown, first: bool) -> str:
    """Return which unit a panel shows, and how well it follows; of the first of each run, how well in other runs."""
    layer, variable, unit = shown.unit
    seeds = f"|r| of seeds {shown.scores[0]:.2f} to {shown.scores[-1]:.2f}, " if first and len(shown.scores) > 1 else ""
    text = f"layer {layer}, {variable} {unit}: r = {shown.score:.2f} ({seeds}chance {shown.chance:.2f})"
    return text.replace("-", "−")


def _foot(lines: Sequence[Line], runs: Table, measured: Sequence[str]) -> list[str]:
    counts = [len(shown.scores) for _, some in lines for shown in some]
    which = f"The run of the median |r| of {drawn_over(runs)} ({span(counts)}), r in text that had no part in picking."
    marks = " Underlined: inside quotes, or inside brackets." if {place[2] for place, _ in lines} != {"line"} else ""
    return [f"{which}{marks}{absent(runs, measured)}{pooling(runs)}"]


def _rows(place: Place, shown: Shown) -> list[dict[str, object]]:
    names = {"panel": place[0], "gap": place[1], "label": shown.label, "feature": place[2]}
    names |= dict(zip(UNIT, shown.unit, strict=True))
    scored = {"score": shown.score, "chance": shown.chance, "low": shown.scores[0], "high": shown.scores[-1]}
    scored["runs"] = len(shown.scores)
    along = ("t", "character", "level", "value")
    columns = zip(*(shown.passage[name] for name in along), strict=True)
    return [names | dict(zip(along, row, strict=True)) | scored for row in columns]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
