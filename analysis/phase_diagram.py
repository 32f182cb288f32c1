"""Vanishing or exploding at initialisation, against the gain of the recurrent weights: measured beside theory.

    python analysis/phase_diagram.py runs/phase_diagram --out figures/

How to read it. One panel a cell and activation; the gain g of the initial W runs to the right, and every number is
taken before the first update. Up runs the rate at which things grow, in nats a step: solid, the gradient of one
answer's loss, for each step back from the answer; dashed, the leading Lyapunov exponent along the task's own inputs, at
which a small difference between states grows for each step forward; dotted, the same without input. In the long run the
first two are one number. The three have marks of different size, so that all are seen where they agree. Below the line
at 0 gradients vanish, above it they explode.

The grey line is theory for large networks without input or bias (``lrd.stats.mean_field``): ln g for the identity,
ln g - ln(2)/2 for relu, and the mean field of tanh. It is drawn for initialisers of W whose entries have a variance
that goes with 1/N. One matrix of finite size has an eigenvalue a little outside the circle of radius g, so that the
identity lies above its line; tanh networks near g = 1 settle into fixed points or cycles, and lie below theirs.

Lines are medians over the runs at a gain, bands run from the 10 % to the 90 % quantile (least to greatest where there
are fewer than 10). Of a cell with several state variables the gradient is that of c. Runs count whatever became of them
later. A gain whose numbers left the range of floats has no point.

From the tables gradient_fit and lyapunov at update 0, and from runs: cell_gain, cell_init and cell_activation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lrd.figures import (
    FigureScript,
    LineStyle,
    NothingToDrawError,
    NotMeasuredError,
    Page,
    Table,
    drawn_from,
    finite,
    groups,
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
from lrd.figures.label_legend import label_entries
from lrd.figures.start_and_end import KEEPING
from lrd.stats import Band, band
from lrd.stats.mean_field import ACTIVATIONS, leading_exponent

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

DRAWN: dict[str, dict[str, Any]] = {
    "gradient": {"linestyle": "-", "markersize": 2},
    "driven": {"linestyle": (0, (4, 1.5)), "markerfacecolor": "none", "markeredgewidth": 0.7, "markersize": 3.8},
    "free": {"linestyle": (0, (1, 1.2)), "markerfacecolor": "none", "markeredgewidth": 0.7, "markersize": 5.8},
}
NAMES = {
    "gradient": "gradient, per step back",
    "driven": "Lyapunov exponent, driven",
    "free": "Lyapunov exponent, free",
}
#: Standard deviation of the entries of W, times the square root of the hidden size, at a gain of 1.
SPREADS = {"gaussian": 1.0, "glorot": 1.0, "orthogonal": 1.0, "spectral": 1.0, "torch": 3**-0.5}

Line = tuple[np.ndarray, Band]


@FigureScript
def draw(study: Any, out: Path) -> list[Path]:
    """Draw the phase diagram of a study in which the gain was swept; return the files written."""
    runs = _swept(study, runs_of(study))
    rates = _rates(study)
    rates = {name: column[np.isin(rates["run_id"], runs["run_id"])] for name, column in rates.items()}
    if not len(rates["run_id"]):
        raise NothingToDrawError(f"no run was measured before its first update: lrd probe {study.path}")
    rows = join_runs(rates, runs, "kind", "gain", "place", "sigma", "activation")
    drawn_from(runs | {"panel": runs["place"]}, rows)
    paths: list[Path] = []
    kinds = sorted(set(rows["kind"]))
    for page in pages(rows["place"], [kinds.index(kind) for kind in rows["kind"]]):
        paths += _page(page, kinds, rows, runs, out)
    return paths


def _swept(study: Any, runs: Table) -> Table:
    """Return the runs of cells that were trained at several gains, with ``kind``: cell, activation, initialiser."""
    options = study.columns("select * from runs")
    if "cell_gain" not in options:
        raise NotMeasuredError("no cell of the study has an option `gain`")
    found = [options["run_id"].tolist().index(run_id) for run_id in runs["run_id"]]
    cell, gain = options["cell"][found], plain(options["cell_gain"][found])
    nothing = np.full(len(cell), None, dtype=object)
    activation, init = (
        options[name][found] if name in options else nothing for name in ("cell_activation", "cell_init")
    )
    named = [", ".join(str(part) for part in kind if part) for kind in zip(cell, activation, init, strict=True)]
    places = [f"{panel}, $T$ = {gap}" for panel, gap in zip(runs["panel"], runs["gap"], strict=True)]
    runs = runs | {
        "gain": gain,
        "kind": np.array(named, dtype=object),
        "place": np.array(places, dtype=object),
        "activation": activation if activation.dtype == object else nothing,
        "sigma": np.array([SPREADS.get(str(name), np.nan) for name in init]),
    }
    several = [
        run_id
        for _, group in groups(runs, "place", "kind", "label")
        if len(set(group["gain"][~np.isnan(group["gain"])])) > 1
        for run_id in group["run_id"]
    ]
    if not several:
        raise NotMeasuredError("no cell was trained at two gains or more: sweep cell.gain")
    return {name: column[np.isin(runs["run_id"], several)] for name, column in runs.items()}


def _rates(study: Any) -> Table:
    """Return how fast each quantity grows before the first update, in nats a step: run_id, quantity, rate."""
    exponents = (
        'union all select run_id, layer, direction, mode, exponent from lyapunov where update = 0 and "index" = 1'
        if "lyapunov" in study.tables
        else ""
    )
    found: Table = study.columns(
        f"""
        select run_id, layer, direction, quantity, rate from (
            select run_id, layer, direction, 'gradient' as quantity, -ln(10) * slope as rate
            from gradient_fit where update = 0 {KEEPING}
        ) {exponents} order by all
        """
    )
    return found


def _page(page: Page, kinds: list[str], rows: Table, runs: Table, out: Path) -> list[Path]:
    styles = line_styles(runs["label"])
    figure, grid = layout.grid(len(page.rows), page.columns, 2.1, sharey=True)
    table: list[dict[str, object]] = []
    spreads: list[Band] = []
    for line, (place, columns) in zip(grid, page.rows, strict=True):
        line[0].set_ylabel(f"{place}\nrate (nats a step)")
        for axes in line[len(columns) :]:
            axes.axis("off")
        for axes, kind in zip(line, [kinds[column] for column in columns], strict=False):
            mine = {name: column[(rows["place"] == place) & (rows["kind"] == kind)] for name, column in rows.items()}
            known: dict[str, object] = {"panel": place, "kind": kind}
            table += [known | row for row in _draw_theory(axes, mine)]
            for (label, quantity), group in groups(mine, "label", "quantity"):
                gains, spread = _line(group)
                _draw_line(axes, gains, spread, styles[label], quantity)
                spreads.append(spread)
                points = zip(gains, spread.median, spread.low, spread.high, spread.count, strict=True)
                table += [
                    known | {"label": label, "quantity": quantity, **_point(*point), "band": spread.kind}
                    for point in points
                ]
            counts = [int(count) for spread in spreads for count in spread.count if count]
            layout.head(axes, kind)
            _mark_zero(axes)
            axes.set_xlabel("gain $g$")
    layout.legend(figure, *_legend(rows, styles))
    bands = in_words(spread.kind for spread in spreads)
    unmeasured = len(runs["run_id"]) - len(set(rows["run_id"]))
    lacking = "" if "driven" in rows["quantity"] else " No run was measured by the probe `lyapunov`."
    lines = [
        f"Before training. Lines: median over runs ({span(counts)} a gain); {bands}."
        + (f" Not drawn: {unmeasured} runs not measured." if unmeasured else "")
        + lacking
    ]
    layout.foot(figure, lines)
    return save_figure(figure, out, f"phase_diagram{page.suffix}", table)


def _line(rows: Table) -> Line:
    """Return the gains, and the band over the runs at each."""
    gains, place = np.unique(rows["gain"], return_inverse=True)
    rank = np.array([int((place[:row] == gain).sum()) for row, gain in enumerate(place)])
    matrix = np.full((int(rank.max()) + 1, len(gains)), np.nan)
    matrix[rank, place] = plain(rows["rate"])
    return gains, band(matrix)


def _point(
    gain: float, median: float, low: float = np.nan, high: float = np.nan, runs: object = None
) -> dict[str, object]:
    return {"gain": gain, "median": median, "low": low, "high": high, "runs": runs}


def _draw_line(axes: Axes, gains: np.ndarray, spread: Band, style: LineStyle, quantity: str) -> None:
    axes.plot(gains, finite(spread.median), **style.points, linewidth=1.0, **DRAWN[quantity])
    axes.fill_between(gains, finite(spread.low), finite(spread.high), color=style.colour, alpha=0.15, linewidth=0)


def _draw_theory(axes: Axes, rows: Table) -> list[dict[str, object]]:
    """Draw the line of theory over the gains of a panel, if there is one; return its rows of the CSV."""
    activation, sigma = rows["activation"][0], float(rows["sigma"][0])
    if activation not in ACTIVATIONS or np.isnan(sigma):
        return []
    gains = np.linspace(rows["gain"].min(), rows["gain"].max(), 101)
    rates = leading_exponent(activation, sigma * gains)
    axes.plot(gains, finite(rates), color="0.65", linewidth=2.8, zorder=1.8)
    return [
        {"label": "", "quantity": "theory", **_point(float(gain), float(rate)), "band": ""}
        for gain, rate in zip(gains, rates, strict=True)
    ]


def _mark_zero(axes: Axes) -> None:
    axes.axhline(0, color="0.25", linewidth=0.8, zorder=1.5)
    # Where no line passes: rates rise with the gain.
    for text, place, offset, side, align in (
        ("explodes", 0.01, 2, "bottom", "left"),
        ("vanishes", 0.99, -2, "top", "right"),
    ):
        axes.annotate(
            text,
            (place, 0),
            xycoords=("axes fraction", "data"),
            xytext=(0, offset),
            textcoords="offset points",
            ha=align,
            va=side,
            fontsize=layout.small(),
            color="0.25",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )


def _legend(rows: Table, styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    entries = label_entries(rows["label"], styles)
    for quantity in [name for name in DRAWN if name in rows["quantity"]]:
        entries.append((Line2D([], [], color="0.25", marker="o", **DRAWN[quantity]), NAMES[quantity]))
    entries.append((Line2D([], [], color="0.65", linewidth=2.8), "theory"))
    return [handle for handle, _ in entries], [name for _, name in entries]


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
