"""Median and spread over seeds: quantiles of values that may be infinite, bands for curves, an interval for a median.

A band describes the seeds that were run: where 80 % of them lie. An interval says where the median of all seeds that
could be run lies. A figure must say which of the two it draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats import scipy_stats
from lrd.stats.levels import check_level

Floats = NDArray[np.float64]

_ROUNDING = 1e-12
FEWEST_FOR_QUANTILES = 10  # below this, a 10 % quantile lies between the two outermost seeds: show those instead


@dataclass(frozen=True)
class Band:
    """The median over seeds at every point of a curve, and the band around it [points].

    Attributes:
        median: NaN where no seed was measured.
        low: the lower edge of the band; NaN where fewer than two seeds were measured.
        high: its upper edge, NaN likewise.
        count: how many seeds were measured at each point.
        kind: what the band is: ``10-90 %`` (quantiles, as ``coverage`` says), ``min-max`` (fewer than 10 seeds) or
            ``none`` (fewer than two seeds).
    """

    median: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]
    kind: str


@dataclass(frozen=True)
class Interval:
    """A median and its confidence interval.

    The widest interval that order statistics offer, from the least to the greatest of n values, covers the median of
    any continuous distribution with probability 1 - 2^(1-n) (David & Nagaraja 2003, Order Statistics, 3rd ed., sec.
    7.1): 75 % at n = 3, 93.75 % at n = 5, above 95 % from n = 6 on. No interval within the values can do better.

    Attributes:
        estimate: the median of the known values; NaN where there are none.
        low: the lower bound; NaN where fewer than two values are known.
        high: the upper bound, NaN likewise.
        count: how many values are known.
        missing: how many were NaN, and left out.
        level: of the interval.
        attainable: the highest level that ``count`` values can give; where it is below ``level``, the bounds are the
            least and the greatest value and cover with this probability only.
    """

    estimate: float
    low: float
    high: float
    count: int
    missing: int
    level: float
    attainable: float


def quantile(values: ArrayLike, q: float, axis: int = 0) -> Floats:
    """Return a quantile along an axis by linear interpolation.

    Type 7 of Hyndman & Fan (1996), The American Statistician 50, numpy's default. Infinities keep their place in the
    order: halfway between -inf and a finite value is -inf, halfway between a finite value and inf is inf. numpy's own
    quantile gives NaN there, and a band would tear where half of the seeds reach a gradient of exactly 0.

    Args:
        values: numbers; NaN is left out, column by column.
        q: which quantile, from 0 to 1.
        axis: along which axis of the values.

    Returns:
        The quantile of each column; NaN where all of it is NaN.

    Raises:
        ValueError: q does not lie from 0 to 1.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"q must lie between 0 and 1, not {q}")
    ordered = np.sort(np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0), axis=0)  # NaN sorts to the end
    if ordered.shape[0] == 0:
        return np.full(ordered.shape[1:], nan)
    count = (~np.isnan(ordered)).sum(axis=0)
    place = q * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    weight = place - below
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below[None], axis=0)[0]
    high = np.take_along_axis(ordered, above[None], axis=0)[0]
    return _between(low, high, weight)


def median(values: ArrayLike, axis: int = 0) -> Floats:
    """Return the median along an axis: NaN is left out, and infinities keep their place, as in ``quantile``."""
    return quantile(values, 0.5, axis)


def band(values: ArrayLike, coverage: float = 0.8) -> Band:
    """Return the median of a curve over seeds, and the band around it.

    The band runs between the (1 - coverage) / 2 and (1 + coverage) / 2 quantiles, or from the least to the greatest
    seed where fewer than 10 seeds have any measurement: one kind for the whole curve, so that it does not jump.

    Args:
        values: a curve of each seed [seeds, points]; NaN is not measured.
        coverage: which part of the seeds the band holds, between 0 and 1.

    Raises:
        ValueError: values of another shape, or a coverage outside of (0, 1).
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"values must be [seeds, points], not of shape {matrix.shape}")
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must lie strictly between 0 and 1, not {coverage}")
    count = (~np.isnan(matrix)).sum(axis=0)
    seeds = int((~np.isnan(matrix)).any(axis=1).sum())
    tail = (1 - coverage) / 2
    if seeds < 2:
        kind = "none"
    elif seeds < FEWEST_FOR_QUANTILES:
        kind, tail = "min-max", 0.0
    else:
        kind = f"{100 * tail:.0f}-{100 * (1 - tail):.0f} %"
    several = count > 1
    return Band(
        median=median(matrix),
        low=np.where(several, quantile(matrix, tail), nan),
        high=np.where(several, quantile(matrix, 1 - tail), nan),
        count=count,
        kind=kind,
    )


def median_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return a median with its distribution-free interval: the narrowest [x_(k), x_(n+1-k)] that has the level.

    With x_(k) the k-th least of n values, it covers the median of any continuous distribution with probability
    1 - 2 P(Binomial(n, 1/2) < k), and that of any other with no less (David & Nagaraja 2003, Order Statistics, 3rd ed.,
    sec. 7.1): it misses on one side only if fewer than k values lie at the median or beyond it. Nothing is interpolated
    between order statistics (as by Hettmansperger & Sheather 1986, Statistics & Probability Letters 4). That comes
    closer to the level where values are spread out, and falls below it where they lie in lumps, as updates to solve and
    losses of runs that did or did not learn do: of 6 values in two lumps 11 % are missed at 95 %. A bootstrap fails for
    the same reason.

    Args:
        values: numbers [any shape]; NaN is left out and counted, infinities keep their place in the order.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: a level outside of (0, 1).
    """
    known, missing = _known(values, level)
    count = known.size
    attainable = 1 - 2.0 ** (1 - count) if count else 0.0
    estimate = float(median(known))
    if count < 2:
        return Interval(estimate, nan, nan, count, missing, level, attainable)
    covered = 1 - 2 * scipy_stats.binom.cdf(np.arange(count // 2), count, 0.5)  # of k = 1, 2, ...
    k = max(int((covered >= level - _ROUNDING).sum()), 1)
    return Interval(estimate, float(known[k - 1]), float(known[-k]), count, missing, level, attainable)


def _known(values: ArrayLike, level: float) -> tuple[Floats, int]:
    """Return the values that are not NaN, in order, and how many are NaN."""
    check_level(level)
    flat = np.asarray(values, dtype=np.float64).ravel()
    known = np.sort(flat[~np.isnan(flat)])
    return known, flat.size - known.size


def _between(low: Floats, high: Floats, weight: ArrayLike) -> Floats:
    """Return (1 - weight) low + weight high, where an infinity with any weight wins over a finite value."""
    weights = np.asarray(weight, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # the branches not taken may hold inf * 0
        mixed = (1 - weights) * low + weights * high
    return np.asarray(np.where((weights == 0) | (low == high), low, np.where(weights == 1, high, mixed)))
