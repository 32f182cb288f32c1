"""The meaning of a slope of log10 gradient norms: the factor per step back, and the horizon.

The norm of dL/dh_t along an orbit is a product of Jacobians, so its log is a random walk with drift and a straight
line in t is the right first description (Pascanu, Mikolov & Bengio 2013, sec. 2.1; Bengio, Simard & Frasconi 1994).
Signs: the slope is d log10 ||dL/dh_t|| / dt. Positive: the gradient grows towards the answer, that is, vanishes
backwards in time. Negative: it explodes backwards. ``lrd.gradients.summary`` fits it, ``lrd.stats.regimes`` says by its
confidence interval which of the two a gradient does.
"""

from __future__ import annotations

from math import e, log10, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOG10_E = log10(e)


def factor_per_step(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the factor of the norm per step back in time, 10^(-slope): below 1 vanishing, above 1 exploding."""
    return np.asarray(10.0 ** -np.asarray(slope, dtype=np.float64))


def horizon(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the steps back until the norm falls to 1/e, log10(e) / slope.

    inf where it does not fall, nan where the slope is nan.
    """
    slopes = np.asarray(slope, dtype=np.float64)
    never = np.where(np.isnan(slopes), nan, np.inf)
    falls = slopes > 0
    return np.where(falls, LOG10_E / np.where(falls, slopes, 1.0), never)
