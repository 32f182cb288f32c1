"""How often an interval misses the median of values in two lumps, exactly: over all that can be drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

#: Shares of the upper lump, some just beside one half, where its median is missed most.
SHARES = np.unique(np.concatenate([np.linspace(0.01, 0.99, 99), 0.5 + np.array([-1e-9, 1e-9])]))
ROUNDING = 1e-8  # what a share so near to one half changes


def missed_at_worst(misses: Callable[[int, float], bool], runs: int) -> float:
    """The probability to miss the median, at the share of the upper lump where that is largest.

    ``misses(upper, median)``: whether it does with so many of the runs in the upper lump, where the median is that of
    the lower one (0) or that of the upper one (1).
    """
    missed = {median: np.array([misses(k, median) for k in range(runs + 1)]) for median in (0.0, 1.0)}
    return max(
        float(binom.pmf(np.arange(runs + 1), runs, upper) @ missed[float(upper > 0.5)])
        for upper in SHARES[SHARES != 0.5].tolist()
    )
