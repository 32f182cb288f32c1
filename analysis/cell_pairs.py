"""Every two cells of a task and gap, over the same seeds: which is better, by how much, and are seeds enough to say so?

    python analysis/cell_pairs.py runs/gap_wall --out figures/

How to read it. One row two cells, "first − second"; in all three columns what lies to the right speaks for the first,
what lies to the left for the second, and the mark has the colour and shape of the one that is ahead (grey: neither).

Share solved: of the seeds solved, the first's minus the second's, with Newcombe's 95 % interval for paired shares.
Time to solve: updates; a run that did not solve the task is slower than any that did. Final loss: at the last
evaluation; a run that diverged has more than any other. The last two are effect sizes, the matched-pairs rank-biserial
correlation: 1 means that the first is ahead in every seed in which they differ, −1 the second, 0 that ranks are even;
how much they differ it does not say.

p are two-sided and exact: McNemar's for shares, Wilcoxon's signed-rank test elsewhere; corrected by Holm's method for
all pairs of the study, column by column. What few seeds cannot show: with n of them no p is below 2 / 2^n, which is
0.25 for three and 0.0625 for five, and the correction multiplies that by the number of pairs. A large p then does not
say that two cells are alike. The line under the figure says from how many seeds on a difference could be seen at all.
The CSV holds the rest: counts, both p, the sign test, seeds with a tie, runs without a partner.

Partners are runs of one seed and, where a cell has several of one seed, of the same options swept beside cell, task
and gap. Runs that failed or did not end count as not solved; their loss is not known, and is left out.

From the table runs: outcome, solved_at, eval_loss, seed and the options of each run.
"""

from __future__ import annotations

import sys
from itertools import combinations
from math import ceil, log2
from pathlib import Path
from typing import Any

from lrd.figures import (
    Array,
    FigureScript,
    LineStyle,
    NotMeasuredError,
    Table,
    groups,
    in_order,
    layout,
    line_styles,
    main,
    plain,
    pooling,
    runs_of,
    save_figure,
    shortfall,
    span,
)
from lrd.figures.cell_partners import matched, settings
from lrd.stats import holm, paired, paired_shares, worst_of

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

COLUMNS = {"share": "share solved", "sooner": "time to solve", "lower": "final loss"}
LINES = 36  # rows of a page, headings included; fewer where columns stand below one another
HEIGHT = 0.155  # of a row, inches
LEVEL = 0.05
EVEN = "x"  # mark where neither is ahead


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the pairs of cells of a study; return the files written."""
    runs = runs_of(study)
    runs |= _ends(study, runs)
    table = []
    for (panel, gap), rows in groups(runs, "panel", "gap"):
        for first, second in combinations(in_order(rows["label"]), 2):
            place = {"panel": panel, "gap": int(gap), "first": first, "second": second}
            table.append(place | _compared(rows, first, second))
    if not any(row["pairs"] for row in table):
        raise NotMeasuredError("no two cells have runs of one seed at one task and gap: nothing to compare")
    for name in COLUMNS:
        for row, p in zip(table, holm([row[f"{name}_p"] for row in table]).tolist(), strict=True):
            row[f"{name}_p_holm"] = p
    paths: list[Path] = []
    for suffix, lines in _files([row for row in table if row["pairs"]]):
        paths += _page(suffix, lines, table, runs, out)
    return paths


def _ends(study: Any, runs: Table) -> Table:
    """Return the end of each run: ``solved``, ``time`` to solve (inf: never), ``loss`` (NaN: unknown), ``settings``."""
    rows = study.columns("select * from runs")
    order = {run_id: place for place, run_id in enumerate(rows["run_id"])}
    at = [order[run_id] for run_id in runs["run_id"]]
    rows = {name: column[at] for name, column in rows.items()}
    finished = runs["state"] == "finished"
    solved = finished & (runs["outcome"] == "solved")
    never = np.full(len(at), np.nan)
    loss = plain(rows.get("eval_loss", never))
    loss = np.where(runs["outcome"] == "diverged", np.inf, loss)
    updates = plain(rows["solved_at"])
    updates = np.where(solved & np.isnan(updates), plain(rows["update"]), np.where(solved, updates, 0.0))
    found = {"solved": solved, "time": worst_of(updates, solved), "loss": np.where(finished, loss, np.nan)}
    return found | {"settings": settings(rows, runs)}


def _compared(rows: Table, first: str, second: str) -> dict[str, Any]:
    """Return the row of the CSV that compares two labels, without corrected p."""
    one, other = ({name: column[rows["label"] == label] for name, column in rows.items()} for label in (first, second))
    i, j = matched(one, other)
    shares = paired_shares(one["solved"][i], other["solved"][j])
    row: dict[str, Any] = {"pairs": len(i), "without_partner": len(one["seed"]) + len(other["seed"]) - 2 * len(i)}
    row |= {"both": shares.both, "only_first": shares.first, "only_second": shares.second, "neither": shares.neither}
    row |= {"share": shares.difference, "share_low": shares.low, "share_high": shares.high, "share_p": shares.p}
    for name, column in (("sooner", "time"), ("lower", "loss")):
        found = paired(one[column][i], other[column][j])  # less is better: ahead where the effect is negative
        ahead = 0.0 if found.effect == 0 else -found.effect
        row |= {name: ahead, f"{name}_p": found.p_rank, f"{name}_p_sign": found.p_sign}
        row |= {f"{name}_first": found.less, f"{name}_second": found.greater, f"{name}_equal": found.equal}
        row |= {f"{name}_missing": found.missing}
    return row


def _files(table: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of each file, with its suffix: as many as fit with the headings of their tasks and gaps."""
    files: list[list[dict[str, Any]]] = [[]]
    taken = 0
    for row in table:
        heading = not files[-1] or _place(files[-1][-1]) != _place(row)
        if files[-1] and taken + 1 + 2 * heading > LINES // _stacked():  # no heading without a row
            files.append([])
            taken, heading = 0, True
        files[-1].append(row)
        taken += 1 + heading
    return [(f"_{place + 1}" if place else "", rows) for place, rows in enumerate(files)]


def _stacked() -> int:
    """Return how many columns stand below one another: 1, or all of them where the figure is too narrow."""
    return 1 if layout.across(len(COLUMNS)) == len(COLUMNS) else len(COLUMNS)


def _place(row: dict[str, Any]) -> tuple[str, int]:
    return row["panel"], row["gap"]


def _page(suffix: str, rows: list[dict[str, Any]], table: list[dict[str, Any]], runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    lines: list[tuple[str, dict[str, Any] | None]] = []
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None or _place(before) != _place(row):
            lines.append((f"{row['panel']}, $T$ = {row['gap']}", None))
        lines.append((f"{row['first']} − {row['second']}", row))
    rows_of_panels = _stacked()
    height_of_panel = 0.75 + HEIGHT * len(lines)
    figure, grid = layout.grid(rows_of_panels, len(COLUMNS) // rows_of_panels, height_of_panel, sharey=True)
    for axes, (name, title) in zip((axes for row in grid for axes in row), COLUMNS.items(), strict=True):
        for height, (_, one) in enumerate(lines):
            if one is None and height:
                axes.axhline(height - 0.5, color="0.75", linewidth=0.6, zorder=1)
            elif one is not None:
                _draw(axes, height, name, one, styles)
        axes.axvline(0, color="0.25", linewidth=0.6, zorder=1.5)
        axes.set_xlim(-1.08, 1.08)
        axes.xaxis.set_major_locator(FixedLocator([-1, -0.5, 0, 0.5, 1]))
        axes.set_xlabel("second ahead  ←  0  →  first ahead", fontsize=layout.small())  # beside long names
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        layout.head(axes, title, "p (Holm)")
    for first, *_ in grid:
        first.set_yticks(range(len(lines)), [text for text, _ in lines])
        for label, (_, one) in zip(first.get_yticklabels(), lines, strict=True):
            label.set(weight="normal" if one else "bold")
    first.set_ylim(len(lines) - 0.4, -0.6)
    labels = in_order([row["first"] for row in rows] + [row["second"] for row in rows])
    marks = [Line2D([], [], **styles[label].points, linestyle="none") for label in labels]
    even = Line2D([], [], color=layout.GREY, marker=EVEN, linestyle="none")
    layout.legend(figure, [*marks, even], [*(f"{label} ahead" for label in labels), "neither"])
    layout.foot(figure, [_note(rows, table, runs)])
    return save_figure(figure, out, f"cell_pairs{suffix}", rows)


def _draw(axes: Axes, height: int, name: str, row: dict[str, Any], styles: dict[str, LineStyle]) -> None:
    """Draw one mark with its interval, if it has one, and its p at the right end of the row."""
    ahead, p = row[name], row[f"{name}_p_holm"]
    if np.isnan(ahead):
        text = "–"
    else:
        text = "<0.001" if p < 0.001 else f"{p:.2g}"
        better = row["first"] if ahead > 0 else row["second"]
        colour, marker = (styles[better].colour, styles[better].marker) if ahead else (layout.GREY, EVEN)
        if f"{name}_low" in row:
            axes.plot(
                [row[f"{name}_low"], row[f"{name}_high"]], [height, height], color=colour, linewidth=0.9, zorder=2
            )
        axes.plot([ahead], [height], color=colour, marker=marker, linestyle="none", clip_on=False, zorder=3)
    place = axes.get_yaxis_transform()
    bold = "bold" if p < LEVEL else "normal"
    axes.text(1.02, height, text, transform=place, fontsize=layout.small(), color="0.25", va="center", weight=bold)


def _note(rows: list[dict[str, Any]], table: list[dict[str, Any]], runs: Table) -> str:
    pairs = [row["pairs"] for row in rows]
    tests = sum(row["pairs"] > 0 for row in table)
    needed = 1 + ceil(log2(tests / LEVEL))
    few = ""
    if max(pairs) < needed:
        least = min(1.0, tests * 2.0 ** (1 - max(pairs)))
        few = (
            f" With so few seeds no p can be below {least:.2g}; {needed} are needed for {LEVEL:g}. A large p does not"
            " say that two cells are alike."
        )
    lone = sum(row["without_partner"] for row in rows)
    lost = shortfall({name: column[_on(rows, runs)] for name, column in runs.items()})
    return (
        f"{span(pairs)} seeds a pair. Bars: 95 % intervals (Newcombe). p: McNemar (share solved) and Wilcoxon, "
        f"after Holm for {tests} pairs.{few}"
        + (f" Among the runs: {lost}; they count as not solved." if lost else "")
        + (f" Runs without a partner, pair by pair: {lone}." if lone else "")
        + pooling(runs)
    )


def _on(rows: list[dict[str, Any]], runs: Table) -> Array:
    places = {_place(row) for row in rows}
    return np.array([place in places for place in zip(runs["panel"], runs["gap"].tolist(), strict=True)])


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
