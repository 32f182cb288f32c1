"""The trend of one number with another, over the runs of each seed."""

from __future__ import annotations

import numpy as np

from lrd.findings.estimate import Estimate, no_interval
from lrd.findings.groups import Group, Pairs
from lrd.findings.medians_and_means import median_between
from lrd.stats import tau


def trend_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the median over seeds of Kendall's tau between ``against`` and ``value`` (``lrd.stats.tau``).

    Each tau is that of the runs of one seed, task, convention and gap; or of one seed, task and convention at all gaps
    together, where ``against`` is one number at each gap. A tau that is not known may be anything from -1 to 1.
    """
    task, convention, gap, seed = zip(*first.places, strict=True)
    for by in (zip(task, convention, gap, seed, strict=True), zip(task, convention, seed, strict=True)):
        seeds: dict[tuple[object, ...], list[int]] = {}
        for index, place in enumerate(by):
            seeds.setdefault(place, []).append(index)
        if all(len(set(first.against[mine].tolist())) > 1 for mine in seeds.values()):
            break
    else:
        return no_interval("against is one and the same number in all runs of a seed")
    taus = np.array([tau(first.against[mine], first.value[mine]) for mine in seeds.values()], dtype=np.float64)
    low, high = (np.where(np.isnan(taus), bound, taus) for bound in (-1.0, 1.0))
    return median_between(low, high, f"median tau of {len(taus)} seeds", "seeds", level, taus)
