"""Whether one number grows with another: Kendall's rank correlation of the runs of one seed."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike

from lrd.stats import scipy_stats


def tau(x: ArrayLike, y: ArrayLike) -> float:
    """Return Kendall's tau-b of one number against another (Kendall & Gibbons 1990, Rank Correlation Methods, ch. 3).

    Args:
        x: the number that the other is held against [runs]; infinities have their place in the order.
        y: the number that may grow with it [runs].

    Returns:
        From -1 (y falls throughout) to 1 (it grows throughout); 0 where all of y are the same. NaN where all of x are
        the same, fewer than two runs are given, or anything is NaN.

    Raises:
        ValueError: unequal lengths.
    """
    one, other = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one y a x: shapes {one.shape} and {other.shape}")
    if one.size < 2 or np.isnan(one).any() or np.isnan(other).any() or (one == one[0]).all():
        return nan
    return 0.0 if (other == other[0]).all() else float(scipy_stats.kendalltau(one, other).statistic)
