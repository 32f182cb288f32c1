"""P values corrected for how many tests were made."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return p values corrected after Holm (1979), Scandinavian Journal of Statistics 6.

    The k-th least of m becomes the greatest of (m - i + 1) p_i over i <= k, and 1 at most. Where each corrected value
    is held against a level, the chance that any true null hypothesis is rejected stays below that level, however the
    tests depend on each other.

    Args:
        p: p values from 0 to 1 [tests]; NaN is a test that could not be made, stays NaN and does not count.

    Raises:
        ValueError: a p value does not lie between 0 and 1.
    """
    values = np.array(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("p values must lie between 0 and 1")
    order = known[np.argsort(values[known], kind="stable")]
    steps = np.arange(order.size, 0, -1) * values[order]
    values[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return values
