"""The axis of gaps: logarithmic, with room for a gap of 0, at which a task answers at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import LogTransform, SymmetricalLogTransform
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import Transform
from numpy.typing import ArrayLike, NDArray

ROOM = 0.5  # decades between 0 and the least gap above it
LINSCALE = ROOM * (1 - 1 / 10)  # the same, as matplotlib counts for base 10


def lay_out(axes: Axes, gaps: Sequence[int], low: float, high: float) -> None:
    """Make x the axis of gaps; to be called before anything is drawn.

    Args:
        axes: The panel.
        gaps: All gaps, in ascending order: the ticks.
        low: Where the axis begins.
        high: Where it ends.
    """
    if gaps[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=_least(gaps), linscale=LINSCALE)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(list(gaps)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("gap $T$ (steps)")


def edges(gaps: Sequence[int], beyond: float) -> tuple[float, float]:
    """Return the ends of an axis that goes on by a factor ``beyond`` below the first gap and above the last."""
    low, high = further(gaps, [gaps[0], gaps[-1]], np.array([-1, 1]) * np.log10(beyond))
    return float(low), float(high)


def between(gaps: Sequence[int], low: float, high: float, count: int) -> NDArray[np.float64]:
    """Return ``count`` places from ``low`` to ``high``, evenly spaced on the axis of ``gaps``."""
    transform = _transform(gaps)
    first, last = transform.transform(np.array([low, high], dtype=np.float64))
    return np.asarray(transform.inverted().transform(np.linspace(first, last, count)))


def aside(gaps: Sequence[int], places: ArrayLike, share: float) -> NDArray[np.float64]:
    """Return places moved by a share of the way from the first gap to the last (of a factor e if there is one gap)."""
    first, last = _transform(gaps).transform(np.array([gaps[0], gaps[-1]], dtype=np.float64))
    decades = (last - first) / _decade(gaps) or np.log10(np.e)
    return further(gaps, places, share * decades)


def share_of(gaps: Sequence[int], place: float) -> float:
    """Return how far along the way from the first gap to the last a place stands; 0 where there is one gap alone."""
    first, last, here = _transform(gaps).transform(np.array([gaps[0], gaps[-1], place], dtype=np.float64))
    return float((here - first) / (last - first)) if last > first else 0.0


def further(gaps: Sequence[int], places: ArrayLike, decades: ArrayLike) -> NDArray[np.float64]:
    """Return places on the axis of ``gaps`` moved to the right by as much as ``decades`` take there."""
    transform = _transform(gaps)
    moved = transform.transform(np.asarray(places, dtype=np.float64)) + np.asarray(decades) * _decade(gaps)
    return np.asarray(transform.inverted().transform(moved))


def _transform(gaps: Sequence[int]) -> Transform:
    return LogTransform(10) if gaps[0] > 0 else SymmetricalLogTransform(10, _least(gaps), LINSCALE)


def _decade(gaps: Sequence[int]) -> float:
    """Return what a decade takes on the axis, in the units of its transform."""
    least = _least(gaps)
    one, ten = _transform(gaps).transform(np.array([least, 10.0 * least]))
    return float(ten - one)


def _least(gaps: Sequence[int]) -> int:
    """Return the least gap above 0; 1 if there is none."""
    return next((gap for gap in gaps if gap > 0), 1)
