"""Many comparisons: p values corrected for how many were made. NaN is a test that could not be made: not counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P values [tests] after Holm (1979), Scandinavian Journal of Statistics 6: each is to be held against the level.

    The chance that any true null hypothesis is rejected stays below the level, however the tests depend on each other.
    The k-th least of m becomes the greatest of (m - i + 1) p_i over i <= k, and 1 at most.
    """
    return _of_known(p, _holm)


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """P values [tests] after Benjamini & Hochberg (1995), JRSS B 57: those below a level are false in that share.

    That is, on average, of independent or positively dependent tests: weaker than Holm's, with more found.
    """
    return _of_known(p, lambda known: np.asarray(false_discovery_control(known, method="bh")))


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(np.arange(p.size, 0, -1) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _of_known(p: ArrayLike, correct: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    values = np.array(p, dtype=np.float64)
    known = ~np.isnan(values)
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("p values must lie between 0 and 1")
    if known.any():
        values[known] = correct(values[known])
    return values
