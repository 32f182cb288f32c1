"""Do groups of runs differ in how soon they solve? The log-rank test for two or more groups.

Mantel (1966); Klein & Moeschberger (2003), sec. 7.3, with weights 1. It asks whether one hazard serves all groups, and
sees best those differences that keep their sign over training; curves that cross can hide from it. Its chi-square is
an approximation for many runs: with 5 a group, p below 0.01 is to be read as "small".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2


@dataclass(frozen=True)
class LogRank:
    """Chi-square ``statistic`` of so many degrees of ``freedom`` and its ``p``; NaN where nothing could differ.

    ``observed`` and ``expected`` [groups] runs solved, in the order of ``groups``; they have equal sums. ``variance``:
    of their difference [groups, groups].
    """

    statistic: float
    freedom: int
    p: float
    groups: tuple[str, ...]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]


def logrank(updates: ArrayLike, solved: ArrayLike, groups: Sequence[str]) -> LogRank:
    """The test between ``groups`` [runs], given as ``kaplan_meier`` takes them. NaN times are left out.

    Groups of which nobody was at risk when anybody was solved take no part in the degrees of freedom.

    Raises:
        ValueError: unequal lengths.
    """
    times, events = np.asarray(updates, dtype=np.float64), np.asarray(solved, dtype=bool)
    if not times.shape == events.shape == (len(groups),):
        raise ValueError("one time, flag and group a run")
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    events = events & ~np.isnan(times)
    member = np.eye(names.size)[codes]  # [runs, groups]
    moments = np.unique(times[events])
    risk = (times >= moments[:, None]).astype(np.float64) @ member  # [times, groups]; NaN is never at risk
    d_group = ((times == moments[:, None]) & events).astype(np.float64) @ member
    n, d = risk.sum(1), d_group.sum(1)
    part = risk / n[:, None]
    observed, expected = d_group.sum(0), d @ part
    weight = d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag(weight @ part) - (part * weight[:, None]).T @ part
    freedom = int(np.linalg.matrix_rank(variance, tol=1e-9 * max(float(weight.sum()), 1.0), hermitian=True))
    statistic = nan
    if freedom:
        excess = observed - expected
        statistic = float(excess @ np.linalg.pinv(variance, rcond=1e-9, hermitian=True) @ excess)
    p = float(chi2.sf(statistic, freedom)) if freedom else nan
    return LogRank(statistic, freedom, p, tuple(str(name) for name in names), observed, expected, variance)
