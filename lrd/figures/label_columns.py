"""Labels of y axes in one line down each column of panels, left of all their ticks.

matplotlib's ``Figure.align_ylabels`` does the same; but with it every panel measures the ticks of its whole column
whenever it is measured or drawn itself, which took most of the time of pages of many rows.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

POINTS = 72  # an inch
MOVED = 1e-6  # points: what is less is rounding

Places = dict[int, float]  # by column: from the left of its panels to its labels, points


def align(figure: Figure) -> Places:
    """Place the labels beside the ticks that there are now, and fix them there.

    Labels of colour bars, and those at the right, are left to matplotlib.

    Returns:
        By column of panels, how far the labels stand from the left of the panels, in points.
    """
    columns: dict[int, list[Axes]] = {}
    for axes in figure.axes:
        place = axes.get_subplotspec()
        if place is not None and str(axes.yaxis.get_label_position()) == "left":
            columns.setdefault(place.colspan.start, []).append(axes)
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0, 0)  # or ticks would be measured to place nothing
    renderer = figure._get_renderer()  # type: ignore[attr-defined]  # what canvases of files have is not public
    labelled = {start: column for start, column in columns.items() if any(axes.get_ylabel() for axes in column)}
    return {start: _align(figure, column, renderer) for start, column in labelled.items()}


def have_moved(before: Places, after: Places) -> bool:
    """Return whether labels stand elsewhere than before, by more than rounding."""
    return any(abs(after[column] - place) > MOVED for column, place in before.items())


def _align(figure: Figure, column: list[Axes], renderer: Any) -> float:
    lefts: list[float] = []
    for axes in column:
        axes.yaxis.label.set_visible(False)
        ticks = axes.yaxis.get_tightbbox(renderer)
        axes.yaxis.label.set_visible(True)
        spine = axes.spines["left"]
        edge = ticks if ticks is not None and ticks.x0 < axes.bbox.x0 else spine.get_window_extent(renderer)
        lefts.append(edge.x0 - axes.bbox.x0)
    points = POINTS * min(lefts) / float(figure.dpi)
    for axes in column:
        shift = ScaledTranslation((points - axes.yaxis.labelpad) / POINTS, 0, figure.dpi_scale_trans)
        axes.yaxis.set_label_coords(0, 0.5, blended_transform_factory(axes.transAxes + shift, axes.transAxes))
    return points
