"""Medians and means of a number of each run, and trends of the runs of a seed.

A number that is not known may be any: in the interval of a median it counts as -inf for the lower bound and as inf for
the upper one. A mean knows no such bounds and has no interval then.
"""

from __future__ import annotations

import numpy as np

from lrd.findings.estimate import Estimate, Pairs, nothing, too_few
from lrd.findings.groups import Floats, Group
from lrd.stats import differences, mean_interval, median_interval, shift, tau, welch


def median_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """From order statistics; of a difference that of the pairs' differences, or Hodges and Lehmann's shift."""
    if second is None:
        return median_between(first.value, first.value, f"median of {first.named()}", f"{first.unit}s", level)
    one, other = first.value, second.value
    if pairs:
        one, other = one[pairs[0]], other[pairs[1]]
        low, high = (_extreme(one, unknown) for unknown in (-np.inf, np.inf))
        low, high = differences(low, _extreme(other, np.inf)), differences(high, _extreme(other, -np.inf))
        of = f"median difference of {len(one)} pairs"
        return median_between(low, high, of, "pairs", level, differences(one, other))
    worst = shift(_extreme(one, -np.inf), _extreme(other, np.inf), level)
    best = shift(_extreme(one, np.inf), _extreme(other, -np.inf), level)
    of = f"shift between {first.named()} and {second.size}"
    found = shift(one, other, level)
    if worst.attainable < level:
        sizes = f"{one.size} and {other.size} {first.unit}s"
        most = f"of a shift at most at {100 * worst.attainable:.4g} %, not {100 * level:.4g} %"
        return nothing(f"{sizes} give an interval {most}", found.shift, of)
    return Estimate(found.shift, worst.low, best.high, of)


def mean_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Student's interval; of a difference that of the pairs' differences, or Welch's."""
    if second is None:
        found, of = mean_interval(first.value, level), f"mean of {first.named()}"
    elif pairs:
        found = mean_interval(differences(first.value[pairs[0]], second.value[pairs[1]]), level)
        of = f"mean difference of {first.size} pairs"
    else:
        found = welch(mean_interval(first.value, level), mean_interval(second.value, level))
        of = f"difference of means of {first.named()} and {second.size}"
    if found.missing:
        return nothing(f"{found.missing} without the number", found.mean, of)
    why = "" if found.error == found.error else "no spread to tell of: too few runs, all alike, or an infinite number"
    return Estimate(found.mean, found.low, found.high, of, why)


def trend_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """The median over seeds of Kendall's tau between ``against`` and ``value``.

    Of the runs of one seed, task, convention and gap; or of all gaps together, where ``against`` is the same at each.
    """
    task, convention, gap, seed = zip(*first.places, strict=True)
    for by in (zip(task, convention, gap, seed, strict=True), zip(task, convention, seed, strict=True)):
        seeds: dict[tuple[object, ...], list[int]] = {}
        for index, place in enumerate(by):
            seeds.setdefault(place, []).append(index)
        if all(len(set(first.against[mine].tolist())) > 1 for mine in seeds.values()):
            break
    else:
        return nothing("against is one and the same number in all runs of a seed")
    taus = np.array([tau(first.against[mine], first.value[mine]) for mine in seeds.values()], dtype=np.float64)
    low, high = (np.where(np.isnan(taus), bound, taus) for bound in (-1.0, 1.0))
    return median_between(low, high, f"median tau of {len(taus)} seeds", "seeds", level, taus)


def median_between(
    low: Floats, high: Floats, of: str, what: str, level: float, values: Floats | None = None
) -> Estimate:
    """The interval of the median of numbers that are known to be at least ``low`` and at most ``high``.

    NaN is not known at all. ``values``: those of which the median is the estimate; default: ``low``.
    """
    worst, best = median_interval(_extreme(low, -np.inf), level), median_interval(_extreme(high, np.inf), level)
    estimate = median_interval(low if values is None else values, level).estimate
    if worst.attainable < level:
        return nothing(too_few(worst.count, what, level), estimate, of)
    return Estimate(estimate, worst.low, best.high, of)


def _extreme(values: Floats, unknown: float) -> Floats:
    return np.where(np.isnan(values), unknown, values)
