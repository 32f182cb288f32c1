"""Logistic regression with Firth's penalty, of many data sets at once: estimates that exist for any data.

Half the log determinant of the information matrix is added to the log likelihood (Firth 1993, Biometrika 80; Heinze &
Schemper 2002, Statistics in Medicine 21). Where a gap parts the solved runs from the others, the maximum of the plain
likelihood lies at a slope of minus infinity; the penalised maximum is finite there, and less biased elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_STEPS, _LONGEST, _CLOSE = 100, 3.0, 1e-9


def firth_line(x: Floats, solved: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Return intercept and slope [sets] of logit P(solved) = intercept + slope x, by Newton's method.

    Args:
        x: where the runs are [points].
        solved: how many runs of each data set were solved there [sets, points].
        count: how many there are [sets, points]; points without runs take no part.

    Returns:
        Intercept and slope of each data set; NaN where fewer than two points have runs.
    """
    middle, spread = x.mean(), x.std() or 1.0
    z = (x - middle) / spread
    intercept, slope = np.zeros((2, len(solved)))
    usable = (count > 0).sum(1) > 1
    active = np.flatnonzero(usable)
    for _ in range(_MOST_STEPS):
        if not active.size:
            break
        step = _step(z, solved[active], count[active], intercept[active], slope[active])
        intercept[active] += step[0]
        slope[active] += step[1]
        active = active[np.abs(step).max(0) > _CLOSE]
    slope = np.where(usable, slope / spread, np.nan)
    return np.where(usable, intercept, np.nan) - slope * middle, slope


def _step(z: Floats, solved: Floats, count: Floats, intercept: Floats, slope: Floats) -> Floats:
    """Return a Newton step, no longer than ``_LONGEST``: the inverse information times the modified score [2, sets]."""
    p = 1 / (1 + np.exp(-np.clip(intercept[:, None] + slope[:, None] * z, -30, 30)))
    w = count * p * (1 - p)
    i00, i01, i11 = w.sum(1), w @ z, w @ z**2
    det = i00 * i11 - i01**2
    # The penalty adds leverage (1/2 - p) to each residual (Heinze & Schemper 2002, sec. 2).
    leverage = w * (i11[:, None] - 2 * i01[:, None] * z + i00[:, None] * z**2) / det[:, None]
    residual = solved - count * p + leverage * (0.5 - p)
    u0, u1 = residual.sum(1), residual @ z
    step = np.stack([i11 * u0 - i01 * u1, i00 * u1 - i01 * u0]) / det
    longest = np.abs(step).max(0)
    return np.asarray(step * np.minimum(1.0, _LONGEST / np.maximum(longest, _LONGEST)))
