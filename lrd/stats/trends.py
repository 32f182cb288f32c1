"""Does one number grow with another? Kendall's rank correlation of the runs of one seed."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau


def tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b of ``y`` against ``x`` [runs], from -1 (falls throughout) to 1 (grows throughout).

    0 where all of ``y`` are the same: it does neither. NaN where all of ``x`` are, or anything is NaN. Infinities have
    their place in the order.

    Raises:
        ValueError: unequal lengths.
    """
    one, other = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one y a x: shapes {one.shape} and {other.shape}")
    if one.size < 2 or np.isnan(one).any() or np.isnan(other).any() or (one == one[0]).all():
        return nan
    return 0.0 if (other == other[0]).all() else float(kendalltau(one, other).statistic)
