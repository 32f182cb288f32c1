"""Evaluation loss against updates, with what chance scores: who learns, when, and what the plateaus mean.

    python analysis/learning_curves.py runs/demo --out figures/
    python analysis/learning_curves.py runs/demo --metric recall_accuracy

How to read it. One panel a task and gap, one line a cell: the median over seeds, with a band from the 10 % to the
90 % quantile (least to greatest where there are fewer than 10 seeds). The dotted line is the closed-form chance level,
the best that remembering nothing can do; dashed lines are further landmarks, such as adding's "one number known". A
median on the chance line means that more than half of the seeds have learned nothing yet.

A run that ended, because it solved the task, keeps its last value to the right, or the runs that are still
struggling would be all that is left of the median; one that diverged counts as infinitely bad from there on. Runs that
failed or have not ended count as far as they were measured.

From the table metrics, and from runs: chance and landmarks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    NothingToDrawError,
    Page,
    Table,
    drawn_from,
    drawn_over,
    groups,
    in_order,
    in_words,
    join_runs,
    layout,
    line_styles,
    main,
    pages,
    plain,
    runs_of,
    save_figure,
    span,
)
from lrd.figures.through_training import note
from lrd.stats import Band, band

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

FAR = 1e30
LABELLED = 2.5  # decades that have room for a number at 1, 2 and 5 of each
SHALLOWEST, DEEPEST = 10.0, 1e-4  # most of the axis, above and below chance


@FigureScript
def draw(study: Any, out: Path, metric: str = "loss") -> list[Path]:
    """Draw the learning curves of a study in one evaluation metric; return the files written."""
    runs = runs_of(study)
    column = f"eval_{metric}"
    known = sorted(name for name in study.columns("select * from metrics limit 0") if name.startswith("eval_"))
    if column not in known:
        offered = ", ".join(name.removeprefix("eval_") for name in known) or "none yet"
        raise NothingToDrawError(f"no evaluation metric {metric!r} in its records; there is {offered}")
    rows = study.columns(
        f'select run_id, update, "{column}" as value from metrics where "{column}" is not null order by run_id, update'
    )
    if not len(rows["run_id"]):
        raise NothingToDrawError("no run was evaluated yet")
    rows = join_runs(rows, runs)
    drawn_from(runs, rows)
    levels = _levels(study, runs, metric)
    curves = {key: _curve(group) for key, group in groups(rows, "panel", "gap", "label")}
    paths: list[Path] = []
    for page in pages(rows["panel"], rows["gap"]):
        shown = {key: curve for key, curve in curves.items() if key[:2] in page}
        if shown:
            paths += _page(page, shown, levels, runs, metric, out)
    return paths


def _curve(rows: Table) -> tuple[np.ndarray, Band]:
    """Return the updates at which any run of the group was evaluated, and the band over runs there."""
    updates = np.unique(rows["update"])
    curves = []
    for _, run in groups(rows, "run_id"):
        values = plain(run["value"])
        latest = np.searchsorted(run["update"], updates, side="right") - 1
        curve = np.where(latest >= 0, values[np.maximum(latest, 0)], np.nan)
        ended = updates > run["update"][-1]
        if run["state"][0] != "finished":
            curve[ended] = np.nan
        elif run["outcome"][0] == "diverged":
            curve[ended | np.isnan(curve) & (latest >= 0)] = np.inf
        curves.append(curve)
    return updates, band(np.stack(curves))


def _levels(study: Any, runs: Table, metric: str) -> dict[tuple[str, int], dict[str, float]]:
    """Return the chance level and, of the loss, the landmarks of each panel and gap, by name."""
    texts = study.columns("select distinct run_id, chance, landmarks from runs order by run_id")
    found: dict[tuple[str, int], dict[str, float]] = {}
    texts = join_runs(texts, runs)
    for panel, gap, chance, landmarks in zip(
        texts["panel"], texts["gap"], texts["chance"], texts["landmarks"], strict=True
    ):
        levels = found.setdefault((panel, int(gap)), {})
        known = json.loads(chance) if isinstance(chance, str) else {}
        if known.get(metric) is not None:
            levels["chance"] = float(known[metric])
        if metric == "loss" and isinstance(landmarks, str):
            levels |= {name: float(level) for name, level in json.loads(landmarks).items()}
    return found


def _page(
    page: Page,
    curves: dict[tuple[Any, ...], tuple[np.ndarray, Band]],
    levels: dict[tuple[str, int], dict[str, float]],
    runs: Table,
    metric: str,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, panels = layout.grid(len(page.rows), page.columns, 1.35, sharey="row")
    table: list[dict[str, object]] = []
    handles: dict[str, Any] = {}
    for row, (task, gaps) in zip(panels, page.rows, strict=True):
        for axes in row[len(gaps) :]:
            axes.axis("off")
        for axes, gap in zip(row, gaps, strict=False):
            mine = {key[2]: curve for key, curve in curves.items() if key[:2] == (task, gap)}
            for index, (label, (updates, spread)) in enumerate(mine.items()):
                style = styles[label]
                (line,) = axes.plot(updates, spread.median, **style.points, linestyle=style.dashes)
                line.set_markevery((0.1 + 0.04 * index, 0.2))
                high = np.minimum(spread.high, FAR)  # matplotlib draws no band up to infinity
                axes.fill_between(updates, spread.low, high, color=style.colour, alpha=0.18, linewidth=0)
                handles.setdefault(label, line)
                names = ("update", "median", "low", "high", "runs")
                columns = (updates, spread.median, spread.low, spread.high, spread.count)
                table += [
                    {
                        "panel": task,
                        "gap": gap,
                        "label": label,
                        **dict(zip(names, point, strict=True)),
                        "band": spread.kind,
                        **_in_columns(levels.get((task, gap), {})),
                    }
                    for point in zip(*columns, strict=True)
                ]
            _name_levels(axes, levels.get((task, gap), {}))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            inside = (runs["panel"] == task) & (runs["gap"] == gap)
            counts = [int((inside & (runs["label"] == label)).sum()) for label in mine]
            layout.head(axes, f"{task}, $T$ = {gap}", span(counts))
        if metric == "loss":
            here = [(task, gap) for gap in gaps]
            _scale(row, [one[1] for key, one in curves.items() if key[:2] in here], [levels.get(k, {}) for k in here])
        row[0].set_ylabel(f"evaluation {metric.replace('_', ' ')}")
    for axes in panels[-1]:
        axes.set_xlabel("update")
    order = in_order(handles)
    layout.legend(figure, [handles[label] for label in order], order)
    bands = in_words(spread.kind for _, spread in curves.values())
    lines = f"Line: median over {drawn_over(runs)}; {bands}."
    layout.foot(
        figure,
        [lines + _meaning([levels.get((task, gap), {}) for task, gaps in page.rows for gap in gaps]) + note(runs)],
    )
    return save_figure(figure, out, f"learning_curves{'' if metric == 'loss' else '_' + metric}{page.suffix}", table)


def _scale(row: list[Axes], curves: list[Band], levels: list[dict[str, float]]) -> None:
    """Make the loss axis of a row of panels logarithmic, without what lies far above or below chance.

    A curve that ends above stays in sight.
    """
    drawn = np.concatenate([np.r_[spread.median, spread.low, spread.high] for spread in curves])
    drawn = np.r_[drawn[np.isfinite(drawn)], [level for known in levels for level in known.values()]]
    if not drawn.size or (drawn <= 0).any():
        return
    chances = [known["chance"] for known in levels if "chance" in known] or [float(drawn.max())]
    ends = [spread.median[np.isfinite(spread.median)][-1:].max(initial=0) for spread in curves]
    row[0].set_yscale("log")
    low = max(drawn.min(), min(chances) * DEEPEST) / 2.5
    high = min(drawn.max(), max(*ends, max(chances) * SHALLOWEST)) * 4
    row[0].set_ylim(low, high)
    if np.log10(high / low) < LABELLED:
        row[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        row[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    row[0].yaxis.set_minor_formatter(NullFormatter())


def _in_columns(levels: dict[str, float]) -> dict[str, object]:
    """Return the levels of a panel for the CSV, landmarks as ``one number known: 0.0833333``."""
    landmarks = [f"{name}: {level:.6g}" for name, level in levels.items() if name != "chance"]
    return {"chance": levels.get("chance"), "landmarks": "; ".join(landmarks)}


def _meaning(levels: list[dict[str, float]]) -> str:
    """Return what the dotted and dashed lines of the panels are, as sentences after a space."""
    names = {name for known in levels for name in known}
    dotted = " Dotted: chance, the best that remembering nothing can do." * ("chance" in names)
    return dotted + " Dashed: the loss of what stands at the line." * bool(names - {"chance"})


def _name_levels(axes: Axes, levels: dict[str, float]) -> None:
    """Draw chance as a dotted line, named at its right, and landmarks dashed, named at their left."""
    for name, level in levels.items():
        chance = name == "chance"
        axes.axhline(level, color="0.25", linewidth=0.8, linestyle=":" if chance else (0, (5, 3)), zorder=1.5)
        axes.annotate(
            name,
            (0.995 if chance else 0.02, level),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2 if chance else -2),
            textcoords="offset points",
            ha="right" if chance else "left",
            va="bottom" if chance else "top",
            fontsize=layout.small(),
            color="0.25",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],  # legible where a curve passes behind
        )


if __name__ == "__main__":
    sys.exit(main(draw, __doc__, metric={"default": "loss", "help": "evaluation metric (default: loss)"}))
