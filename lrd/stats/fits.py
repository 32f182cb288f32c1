"""What a slope of log10 gradient norms means: factor per step back, horizon. The slope is fitted by ``lrd.probes``.

The norm of dL/dh_t along an orbit is a product of Jacobians, so its log is a random walk with drift and a straight
line in t is the right first description (Pascanu, Mikolov & Bengio 2013, sec. 2.1; Bengio, Simard & Frasconi 1994).
Signs: ``slope`` is d log10 ||dL/dh_t|| / dt. Positive: the gradient grows towards the answer, that is, vanishes
backwards in time. Negative: it explodes backwards.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray


def factor_per_step(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the factor of the norm per step back in time, 10^(-slope): below 1 it vanishes, above 1 it explodes.

    Args:
        slope: d log10 ||dL/dh_t|| / dt; NaN stays NaN.
    """
    return np.asarray(10.0 ** -np.asarray(slope, dtype=np.float64))


def horizon(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the steps back until the norm falls to 1/e: log10(e) / slope.

    Args:
        slope: d log10 ||dL/dh_t|| / dt.

    Returns:
        Steps, above 0; inf where the norm does not fall, NaN where the slope is NaN.
    """
    slopes = np.asarray(slope, dtype=np.float64)
    never = np.where(np.isnan(slopes), nan, np.inf)
    falls = slopes > 0
    return np.where(falls, np.log10(np.e) / np.where(falls, slopes, 1.0), never)
