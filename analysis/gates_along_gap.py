"""Gates along the gap, and what the forget gates keep beside what arrives of the gradient.

    python analysis/gates_along_gap.py runs/demo --out figures/

How to read it. A row a task and gap, or one a cell where cells are many, and one a layer and direction where a network
has several; time runs to the right, and the answer stands
at the dotted line. One panel a gate: the line is the median over units and samples, the pale area reaches from the 25 %
to the 75 % quantile over them (each the median over seeds), the darker one is the band of the median over seeds. A
forget gate at 1 keeps everything; at 0.9 a tenth of what was stored is gone with each step.

The last panel asks what that means for the gradient. Dashed is the product of the forget gates from t to the answer
(geometric mean over units and samples): what would be left of dL/dc at t if the gates alone carried it back; dotted the
same of those units and samples that keep most (95 % quantile). Solid is the measured norm of dL/dc_t relative to its
value at the answer (geometric mean over samples). A norm counts the units that keep most, and so may run above the
dashed line; where it leaves the dotted one too, the gradient arrives by the recurrent weights, by which c also acts
through h and the gates of later steps; below the last layer it also arrives from the layer above, at every step.

Lines are medians over seeds, bands run from the 10 % to the 90 % quantile (least to greatest where there are fewer
than 10 seeds). Thick at the end of training, thin and pale before the first update. Only runs that came to an end are
drawn.

From the tables gates, of the probe of that name, and gradient_flow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lrd.figures import (
    Array,
    FigureScript,
    LineStyle,
    NothingToDrawError,
    PartLabel,
    Table,
    drawn_from,
    finite,
    groups,
    in_files,
    join_runs,
    layout,
    line_styles,
    main,
    plain,
    runs_of,
    save_figure,
    whole_of,
)
from lrd.figures.facet import MOST, Place, labels_at, together
from lrd.figures.flow_profiles import at_start_and_end, flow_profiles
from lrd.figures.gradient_panel import (
    limits_of,
    powers_of_ten,
    say_what_is_zero,
    say_where_it_goes,
    steps_to_answer,
    symbol,
)
from lrd.figures.label_legend import label_entries
from lrd.figures.start_and_end import THIN, Profile, along_t, need_probe, note, rows_at

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

COLUMNS, ROWS = 4, 5
DASHES: dict[str, Any] = {"gradient": "-", "product": (0, (3, 1.2)), "product q95": (0, (1, 1.2))}

Key = tuple[str, int, str, str, str, str]  # panel, gap, quantity (gate, or one of DASHES), of what, label, moment
Line = tuple[str, str, str, str]  # quantity, of what, label, moment
Row = tuple[Place, str, list[str], list[tuple[str, str]]]  # where, the cell if it is alone, cells, panels
Statistics = tuple[Profile, ...]  # value, and the two quartiles over units and samples


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the gates of a study along the gap; return the files written."""
    need_probe(study, "gates")
    runs = runs_of(study)
    seen = rows_at(
        study,
        "gates",
        "layer, direction, quantity, gate, variable, t, lag, mean, q25, q50, q75, q95",
        "quantity <> 'since_store'",
    )
    if not len(seen["run_id"]):
        raise NothingToDrawError("no finished run that was measured by the probe `gates` has a cell with gates")
    rows = join_runs(_lines(seen, _gradients(study, seen)), runs)
    profiles = {
        key: tuple(along_t(group, name) for name in ("value", "q25", "q75"))
        for key, group in groups(rows, "panel", "gap", "quantity", "what", "label", "moment")
    }
    ends = {key: int(np.max(group["t"] + group["lag"])) for key, group in groups(rows, "panel", "gap")}
    drawn_from(runs, rows)
    columns = layout.across(COLUMNS)
    lines = [
        (place, name, alike, names[start : start + columns])
        for place, labels in labels_at((*key[:2], key[4]) for key in profiles).items()
        for names in [_panels(key for key in profiles if key[:2] == place)]
        for name, alike in together(labels, 1 if any(isinstance(label, PartLabel) for label in labels) else MOST)
        for start in range(0, len(names), columns)
    ]
    paths: list[Path] = []
    for suffix, block in in_files(lines, ROWS):
        paths += _page(suffix, block, profiles, ends, runs, rows["run_id"], out)
    return paths


def _gradients(study: Any, seen: Table) -> Table:
    """Return log10 of the norm of dL/ds_t over that at the answer, where gates were measured."""
    flow = flow_profiles(study)
    kept = {key[:2] for key in zip(seen["run_id"], seen["variable"], strict=True)}
    measurements = at_start_and_end(flow.measurements)
    names = zip(measurements["run_id"], measurements["variable"], measurements["answer"], strict=True)
    chosen = np.array(
        [(run_id, variable) in kept and answer == "last" for run_id, variable, answer in names], dtype=bool
    )
    rows = flow.rows({name: column[chosen] for name, column in measurements.items()})
    keys = list(zip(*(rows[name] for name in ("run_id", "layer", "direction", "variable", "moment")), strict=True))
    at_answer = {key: value for key, value, lag in zip(keys, rows["log10_gmean"], rows["lag"], strict=True) if lag == 0}
    reference = np.array([at_answer.get(key, np.nan) for key in keys], dtype=np.float64)
    rows["value"] = plain(rows["log10_gmean"]) - finite(reference)
    return rows


def _lines(seen: Table, gradients: Table) -> Table:
    """Return what is drawn in one table: run, moment, part, t, lag, quantity, ``what`` it is of, value, q25, q75."""
    gate = seen["quantity"] == "gate"
    gates, products = ({name: column[chosen] for name, column in seen.items()} for chosen in (gate, ~gate))
    sources = (  # rows, quantity, what, value
        (gates, "gate", "gate", "q50"),
        (products, "product", "variable", "mean"),
        (products, "product q95", "variable", "q95"),
        (gradients, "gradient", "variable", "value"),
    )
    parts = []
    for rows, quantity, what, value in sources:
        unknown = np.full(len(rows["t"]), np.nan)
        part = {name: rows[name] for name in ("run_id", "moment", "layer", "direction", "t", "lag")}
        part |= {"quantity": np.full(len(unknown), quantity, dtype=object), "what": rows[what], "value": rows[value]}
        part |= {name: rows[name] if quantity == "gate" else unknown for name in ("q25", "q75")}
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _panels(keys: Iterable[Key]) -> list[tuple[str, str]]:
    """Return the panels of a task and gap: one for each gate, then one for each variable that a gate keeps."""
    found = {("gate" if quantity == "gate" else "kept", what) for _, _, quantity, what, *_ in keys}
    return sorted(found)


def _page(
    suffix: str,
    lines: list[Row],
    profiles: dict[Key, Statistics],
    ends: dict[tuple[str, int], int],
    runs: Table,
    drawn: Array,
    out: Path,
) -> list[Path]:
    styles = line_styles(runs["label"])
    gated = np.isin(
        runs["label"].astype(str), [whole_of(key[4]) for key in profiles]
    )  # the others have no gates to draw
    figure, grid = layout.grid(len(lines), max(len(names) for *_, names in lines), 1.5)
    table: list[dict[str, object]] = []
    shown: dict[Key, Profile] = {}
    for row, ((panel, gap), name, alike, names) in zip(grid, lines, strict=True):
        where = f"{alike[0].whole}\n{alike[0].part}" if isinstance(alike[0], PartLabel) else name
        row[0].set_ylabel(f"{panel}, $T$ = {gap}" + f"\n{where}" * bool(where))
        for axes in row[len(names) :]:
            axes.axis("off")
        for axes, (kind, what) in zip(row, names, strict=False):
            here = {
                key[2:]: one
                for key, one in profiles.items()
                if key[:2] == (panel, gap) and key[3] == what and (key[2] == "gate") == (kind == "gate")
            }
            mine = {key: one for key, one in here.items() if key[2] in alike}
            if kind == "gate":
                _draw_gates(axes, mine, styles)
            else:  # in the range of all cells, also of those in other rows
                _draw_kept(
                    axes, mine, styles, limits_of([statistics[0] for statistics in here.values()], ends[panel, gap])
                )
            layout.head(axes, f"{what} gate" if kind == "gate" else rf"$\partial L/\partial {symbol(what)}$, relative")
            steps_to_answer(axes, ends[panel, gap])
            if say_what_is_zero(axes, [statistics[0][1] for statistics in mine.values()]):
                axes.set_xlim(row[0].get_xlim())
            for key, statistics in mine.items():
                shown[panel, gap, *key] = statistics[0]
                table += _rows({"panel": panel, "gap": gap}, key, statistics)
    for axes in grid[-1]:
        axes.set_xlabel("step $t$")
    layout.legend(figure, *_legend(set(shown), styles))
    bands = [spread for _, spread in shown.values()]
    what_is_pale = " Pale area of a gate: quartiles over units and samples."
    layout.foot(figure, [note(bands, {name: of[gated] for name, of in runs.items()}, drawn) + what_is_pale])
    return save_figure(figure, out, f"gates_along_gap{suffix}", table)


def _draw_gates(axes: Axes, mine: dict[Line, Statistics], styles: dict[str, LineStyle]) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    for (_, _, label, moment), ((steps, spread), (_, low), (_, high)) in sorted(mine.items(), reverse=True):
        colour = styles[label].colour
        (line,) = axes.plot(steps, spread.median, **styles[label].line)
        if moment == "init":
            line.set(**THIN)
            continue
        line.set(marker=styles[label].marker, markevery=0.3)
        axes.fill_between(steps, low.median, high.median, color=colour, alpha=0.12, linewidth=0)
        axes.fill_between(steps, spread.low, spread.high, color=colour, alpha=0.25, linewidth=0)


def _draw_kept(
    axes: Axes, mine: dict[Line, Statistics], styles: dict[str, LineStyle], limits: tuple[float, float]
) -> None:
    axes.set_ylim(*limits)
    powers_of_ten(axes)
    for (quantity, _, label, moment), ((steps, spread), *_) in sorted(mine.items(), reverse=True):
        colour = styles[label].colour
        middle = finite(spread.median)
        (line,) = axes.plot(steps, middle, **styles[label].line, linestyle=DASHES[quantity])
        if moment == "init":
            line.set(**THIN)
            continue
        if quantity != "product q95":
            line.set(marker=styles[label].marker, markevery=0.3)
        low, high = np.maximum(spread.low, limits[0]), np.minimum(spread.high, limits[1])
        axes.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
        if quantity == "gradient":  # three texts a cell would hide each other
            say_where_it_goes(axes, steps, middle, limits, colour)


def _rows(place: dict[str, object], key: Line, statistics: Statistics) -> list[dict[str, object]]:
    """Return the rows of the CSV of one line."""
    names = dict(zip(("quantity", "what", "label", "moment"), key, strict=True))
    (steps, spread), (_, low), (_, high) = statistics
    points = zip(steps, spread.median, spread.low, spread.high, low.median, high.median, spread.count, strict=True)
    columns = ("t", "median", "low", "high", "q25", "q75", "runs")
    return [place | names | dict(zip(columns, point, strict=True)) | {"band": spread.kind} for point in points]


def _legend(keys: set[Key], styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    entries = label_entries((key[4] for key in keys), styles)
    names = {"gradient": "measured gradient", "product": "product of forget gates", "product q95": "its 95 % quantile"}
    for quantity in [name for name in DASHES if any(key[2] == name for key in keys)]:
        entries.append((Line2D([], [], color="0.25", linestyle=DASHES[quantity], linewidth=1.0), names[quantity]))
    if len({key[5] for key in keys}) > 1:
        entries.append((Line2D([], [], color="0.25"), "after training"))
        entries.append((Line2D([], [], color="0.25", **THIN), "before training"))
    entries.append((Line2D([], [], color="0.25", linewidth=0.8, linestyle=":"), "answer"))
    return [handle for handle, _ in entries], [name for _, name in entries]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
