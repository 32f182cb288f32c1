"""Straight lines through log10 gradient norms: slope per step, factor per step back, horizon.

The norm of dL/dh_t along an orbit is a product of Jacobians, so its log is a random walk with drift and a straight
line in t is the right first description (Pascanu, Mikolov & Bengio 2013, sec. 2.1; Bengio, Simard & Frasconi 1994).
Signs: ``slope`` is d log10 ||dL/dh_t|| / dt. Positive: the gradient grows towards the answer, that is, vanishes
backwards in time. Negative: it explodes backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class LineFit:
    """log10 norm = intercept + slope * t, by ordinary least squares on ``points`` finite values.

    ``left_out`` counts what was not fitted: -inf (a gradient of exactly 0), +inf and NaN. With fewer than two
    different steps the slope is NaN. ``residual`` is the root mean square of the residuals in decades: a line is a
    poor summary where it is not small beside the fall over the fitted steps.
    """

    slope: float
    intercept: float
    points: int
    left_out: int
    residual: float

    @property
    def factor(self) -> float:
        """By what the norm is multiplied in each step back in time."""
        return float(factor_per_step(self.slope))

    @property
    def horizon(self) -> float:
        """Steps back until the norm has fallen to 1/e."""
        return float(horizon(self.slope))


def factor_per_step(slope: ArrayLike) -> NDArray[np.float64]:
    """Factor of the norm per step back in time, 10^(-slope): below 1 vanishing, above 1 exploding; NaN stays NaN."""
    return np.asarray(10.0 ** -np.asarray(slope, dtype=np.float64))


def horizon(slope: ArrayLike) -> NDArray[np.float64]:
    """Steps back until the norm falls to 1/e: log10(e) / slope; inf where it does not fall, NaN where slope is NaN."""
    slopes = np.asarray(slope, dtype=np.float64)
    never = np.where(np.isnan(slopes), nan, np.inf)
    falls = slopes > 0
    return np.where(falls, np.log10(np.e) / np.where(falls, slopes, 1.0), never)


def fit_line(steps: ArrayLike, log10_norms: ArrayLike) -> LineFit:
    """Least-squares line through log10 norms over steps, with whatever is not finite left out and counted.

    Leaving out the -inf makes the slope one of the part that is not zero: read it together with ``left_out``.

    Raises:
        ValueError: steps and norms differ in shape.
    """
    t = np.asarray(steps, dtype=np.float64).ravel()
    y = np.asarray(log10_norms, dtype=np.float64).ravel()
    if t.shape != y.shape:
        raise ValueError(f"one norm a step: {t.size} steps, {y.size} norms")
    usable = np.isfinite(t) & np.isfinite(y)
    t, y, left_out = t[usable], y[usable], int((~usable).sum())
    if np.unique(t).size < 2:
        return LineFit(nan, nan, t.size, left_out, nan)
    centred = t - t.mean()  # centring keeps t*t from eating the digits at t near 1e5
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    intercept = float(y.mean() - slope * t.mean())
    residual = float(np.sqrt(np.mean((y - y.mean() - slope * centred) ** 2)))
    return LineFit(slope, intercept, t.size, left_out, residual)
