"""A panel of gradient flow: its lines against the step t, the rates written over it, its limits, and its legend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from lrd.figures import layout
from lrd.figures.label_legend import label_entries
from lrd.figures.labels import PartLabel
from lrd.figures.line_style import LineStyle
from lrd.stats import Band, factor_per_step, horizon

DECADES = 20.0  # what lies further from the gradient at the answer than this moves no float32 weight, or only breaks it
LEAST = 1.0  # so that a flat line looks flat
DASHES: dict[str, Any] = {"h": "-", "c": (0, (3, 1.2))}
OTHERS: Any = (0, (1, 1.2))  # a state variable of another cell

Key = tuple[str, str, str]  # label, variable, moment
Profile = tuple[np.ndarray, Band]


def draw_panel(
    axes: Axes,
    profiles: dict[Key, Profile],
    slopes: dict[Key, float],
    styles: dict[str, LineStyle],
    answer: int,
    title: str,
) -> None:
    """Draw the lines of one panel, and write the rate of each thick one over it.

    Lines of the end of training are thick; those of its start are if there are no others.

    Args:
        axes: The panel.
        profiles: For each (label, variable, moment) the steps t and the band of log10 of the norms.
        slopes: For each of these the slope, in powers of ten for each step towards the answer.
        styles: The line style of each label.
        answer: The step of the answer.
        title: The title of the panel.
    """
    limits = limits_of(list(profiles.values()), answer)
    axes.set_ylim(*limits)
    powers_of_ten(axes)
    steps_to_answer(axes, answer)
    thick = "end" if any(moment == "end" for *_, moment in profiles) else "init"
    written: dict[Key, Any] = {}
    for index, (key, (steps, spread)) in enumerate(profiles.items()):
        label, variable, moment = key
        style = styles[label]
        middle = np.where(np.isfinite(spread.median), spread.median, np.nan)
        (line,) = axes.plot(steps, middle, **style.line, linestyle=DASHES.get(variable, OTHERS))
        if moment != thick:
            line.set(linewidth=0.8, alpha=0.5)
            continue
        line.set(marker=style.marker, markevery=(0.06 + 0.045 * index, 0.25))
        axes.fill_between(
            steps, np.maximum(spread.low, limits[0]), spread.high, color=style.colour, alpha=0.18, linewidth=0
        )
        written[key] = line
        say_where_it_goes(axes, steps, middle, limits, style.colour)
    say_what_is_zero(axes, [spread for _, spread in profiles.values()])
    axes.legend(
        written.values(),
        [_rate(slopes[key]) for key in written],
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.99),
        borderaxespad=0,
        borderpad=0,
        ncols=2,
        columnspacing=0.8,
        handlelength=2.4,
        handletextpad=0.4,
        labelspacing=0.2,
        fontsize=layout.small(),
        title=title,
        title_fontsize="medium",
        alignment="left",
    )


def powers_of_ten(axes: Axes) -> None:
    """Label a y axis that holds log10 by powers of ten."""
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$10^{{{power:.0f}}}$"))


def steps_to_answer(axes: Axes, answer: int) -> None:
    """Place the ticks of an x axis of steps t, and draw the dotted line at the answer."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.axvline(answer, color="0.25", linewidth=0.8, linestyle=":")


def say_what_is_zero(axes: Axes, bands: Iterable[Band]) -> bool:
    """Write in a panel of gradients that they are exactly 0, where at most one step of each line is not.

    Of the last layer of a network an answer reaches that step alone where it reads backward and the answer comes last.

    Returns:
        Whether it was written.
    """
    medians = [band.median for band in bands]
    nothing = bool(medians) and all(np.isfinite(one).sum() < 2 and not np.isfinite(one[:-1]).any() for one in medians)
    if nothing:
        where = "at other steps" if any(np.isfinite(one).any() for one in medians) else "at all steps"
        write_inside(axes, f"0 {where}")
    return nothing


def write_inside(axes: Axes, text: str) -> None:
    """Write in the middle of a panel why it has no line."""
    middle: dict[str, Any] = {"xycoords": "axes fraction", "ha": "center", "va": "center"}
    axes.annotate(text, (0.5, 0.5), **middle, fontsize=layout.small(), color=layout.GREY)


def say_where_it_goes(
    axes: Axes, steps: np.ndarray, middle: np.ndarray, limits: tuple[float, float], colour: str
) -> None:
    """Write how far a line goes that leaves the panel, beside the place where it leaves.

    Args:
        axes: The panel.
        steps: The steps t of the line.
        middle: The line: log10 of norms.
        limits: The least and the greatest log10 that the panel shows.
        colour: Colour of the line.
    """
    for beyond, reaches, edge, side in (
        (middle < limits[0], np.fmin.reduce(middle), limits[0], "bottom"),
        (middle > limits[1], np.fmax.reduce(middle), limits[1], "top"),
    ):
        if beyond.any():
            place = steps[np.flatnonzero(beyond)[-1]]
            width = 72 * axes.bbox.width / axes.figure.dpi  # points, about: the layout is made when the figure is saved
            stacked = sum(_beside(text, place, edge, steps[-1]) for text in axes.texts)
            left = width * place / steps[-1] > 30  # beyond the place where it leaves, if there is room
            axes.annotate(
                f"to $10^{{{reaches:.0f}}}$",
                (place, edge),
                xytext=(-3 if left else 14, (2 + 8 * stacked) * (1 if side == "bottom" else -1)),
                textcoords="offset points",
                ha="right" if left else "left",
                va=side,
                fontsize=layout.small(),
                color=colour,
            )


def _beside(text: Any, place: float, edge: float, width: float) -> bool:
    """Return whether a text stands at the place already, of another line that leaves the panel nearby."""
    return bool(text.xy[1] == edge and abs(text.xy[0] - place) < 0.3 * width)


def limits_of(profiles: list[Profile], answer: int) -> tuple[float, float]:
    """Return the log10 that a panel shows: LEAST to DECADES powers of ten to either side of the norm at the answer.

    Where that is exactly 0, the nearest step counts at which it is not.

    Args:
        profiles: The steps t and the band of each line.
        answer: The step of the answer.
    """
    lines = [(steps[there], spread.median[there])
             for steps, spread in profiles for there in (np.isfinite(spread.median),) if there.any()]  # fmt: skip
    if not lines:
        return -1.0, 1.0
    near = [medians[np.abs(steps - answer).argmin()] for steps, medians in lines]
    return limits_around(np.concatenate([medians for _, medians in lines]), near)


def limits_around(values: ArrayLike, at_answer: ArrayLike) -> tuple[float, float]:
    """Return the least and the greatest log10 that a panel shows.

    Args:
        values: All that is drawn, log10; those that are not finite do not count.
        at_answer: The norms at the answer, log10. The panel shows LEAST to DECADES powers of ten to either side.
    """
    drawn, near = (np.asarray(of, dtype=np.float64) for of in (values, at_answer))
    drawn, near = drawn[np.isfinite(drawn)], near[np.isfinite(near)]
    if not drawn.size:
        return -1.0, 1.0
    middle = float(np.median(near if near.size else drawn))
    low = max(min(drawn.min(), middle - LEAST), middle - DECADES)
    high = min(max(drawn.max(), middle + LEAST), middle + DECADES)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _rate(slope: float) -> str:
    """Return the factor per step back and the horizon of a slope, as ``×0.931 (14)``."""
    if np.isnan(slope):
        return "no fit"
    factor, steps = float(factor_per_step(slope)), float(horizon(slope))
    digits = 4 if abs(factor - 1) < 0.0095 else 3 if factor > 0.1 else 4
    length = "∞" if np.isinf(steps) else f"{steps:.0f}" if 9.5 <= steps < 1e5 else f"{steps:.2g}"
    return f"×{factor:.{digits}f} ({length})"


def symbol(variable: str) -> str:
    """Return a state variable at step t, in mathtext, whatever name a cell gives it."""
    escaped = variable.replace("_", r"\_")
    return f"{{{escaped}}}_t"


def title_of(track: tuple[str, str]) -> str:
    """Return the title of a panel of one state variable of one cell, in mathtext; a part of a network on its own line.

    Args:
        track: Label and state variable.
    """
    label, variable = track
    name = f"{label.whole}\n{label.part}" if isinstance(label, PartLabel) else label
    return f"{name}, ${symbol(variable)}$"


def norm_of(variable: str) -> str:
    """Return the norm of dL/dh_t, or of another state variable, in mathtext."""
    return rf"$\Vert\partial L/\partial {symbol(variable)}\Vert$"


def legend(keys: set[tuple[Any, ...]], styles: dict[str, LineStyle]) -> tuple[list[Any], list[str]]:
    """Return handles and names of a legend: cells by colour and marker, layers by shade, variables by dashes.

    Moments differ by width.

    Args:
        keys: The (label, variable, moment) of all lines.
        styles: The line style of each label.
    """
    entries = label_entries((label for label, *_ in keys), styles)
    for variable in sorted({variable for _, variable, _ in keys}, reverse=True):
        line = Line2D([], [], color="0.25", linestyle=DASHES.get(variable, OTHERS), linewidth=1.0)
        entries.append((line, norm_of(variable)))
    moments = {moment for *_, moment in keys}
    if len(moments) > 1:
        entries.append((Line2D([], [], color="0.25"), "after training"))
        entries.append((Line2D([], [], color="0.25", linewidth=0.8, alpha=0.5), "before training"))
    entries.append((Line2D([], [], color="0.25", linewidth=0.8, linestyle=":"), "answer"))
    return [handle for handle, _ in entries], [name for _, name in entries]
