"""The log-rank test: do groups of runs differ in how soon they solve their task?

Mantel (1966), Cancer Chemotherapy Reports 50; Klein & Moeschberger (2003), Survival Analysis, sec. 7.3, with weights 1.
It asks whether one hazard serves all groups. Differences that keep their sign over training show best; curves that
cross can hide from it. Its chi-square is an approximation for many runs: with 5 a group, read p below 0.01 as "small".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats import scipy_stats


@dataclass(frozen=True)
class LogRank:
    """The result of a log-rank test.

    Attributes:
        statistic: chi-square; NaN where nothing could differ.
        freedom: its degrees of freedom, 0 where nothing could differ.
        p: the chance of a statistic as large where the groups do not differ; NaN likewise.
        groups: their names, in the order of what follows.
        observed: how many runs of each group solved their task [groups].
        expected: how many would have if the groups did not differ [groups]; the sum is that of ``observed``.
        variance: covariance of observed minus expected [groups, groups].
    """

    statistic: float
    freedom: int
    p: float
    groups: tuple[str, ...]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]


def logrank(updates: ArrayLike, solved: ArrayLike, groups: Sequence[str]) -> LogRank:
    """Test whether groups of runs differ in how soon they solve their task.

    Groups of which no run was at risk when any run was solved take no part in the degrees of freedom.

    Args:
        updates: until each run was solved or censored [runs]; runs with NaN are left out.
        solved: whether it was solved [runs].
        groups: the name of its group [runs].

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
    p = float(scipy_stats.chi2.sf(statistic, freedom)) if freedom else nan
    return LogRank(statistic, freedom, p, tuple(str(name) for name in names), observed, expected, variance)
