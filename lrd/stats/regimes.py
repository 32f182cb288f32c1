"""Vanishing, preserving or exploding: what a slope of gradient flow means over a gap, given its uncertainty.

The slope's 95 % confidence interval is Student's t over samples, each with a fitted line of its own. A gradient that
keeps between 1/e and e times its size over the whole gap is preserved: a slope is never exactly 0, and its interval
excludes 0 sooner or later if there are samples enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.gradients.rates import LOG10_E
from lrd.stats import scipy_stats

REGIMES = ("vanishing", "preserving", "exploding", "undecided")


def slope_interval(
    slope: ArrayLike, error: ArrayLike, samples: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of the confidence interval of slopes.

    Args:
        slope: log10 a step of t.
        error: its standard error.
        samples: how many lines it is the error over; bounds are nan for fewer than 2.
        level: of the interval.
    """
    slopes, errors = np.asarray(slope, dtype=np.float64), np.asarray(error, dtype=np.float64)
    freedom = np.asarray(samples, dtype=np.float64) - 1
    quantile = np.where(freedom >= 1, scipy_stats.t.ppf((1 + level) / 2, np.maximum(freedom, 1)), np.nan)
    return slopes - quantile * errors, slopes + quantile * errors


def regimes(slope: ArrayLike, error: ArrayLike, samples: ArrayLike, steps: ArrayLike) -> NDArray[np.object_]:
    """Return the regime of each slope; None where there is no slope.

    ``vanishing``: the whole interval says that less than 1/e arrives over the gap; ``exploding``: more than e times;
    ``preserving``: the whole interval lies between; ``undecided``: the interval reaches across a border.

    Args:
        slope: log10 a step of t.
        error: its standard error.
        samples: how many lines it is the error over.
        steps: of the gap.
    """
    slopes, low, high = np.broadcast_arrays(np.asarray(slope, dtype=np.float64), *slope_interval(slope, error, samples))
    border = LOG10_E / np.asarray(steps, dtype=np.float64)
    found = np.full(slopes.shape, "undecided", dtype=object)
    found[low > border] = "vanishing"
    found[high < -border] = "exploding"
    found[(low >= -border) & (high <= border)] = "preserving"
    found[np.isnan(slopes)] = None
    return found
