"""Medians and means of a number of each run.

A number that is not known may be any: in the interval of a median it counts as -inf for the lower bound and as inf for
the upper one. A mean has no such bounds, and so no interval where a number is not known.
"""

from __future__ import annotations

import numpy as np

from lrd.findings.estimate import Estimate, no_interval, too_few
from lrd.findings.groups import Floats, Group, Pairs
from lrd.stats import differences, mean_interval, median_interval, shift, welch


def median_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the median of a group, or how far the first group lies above the second.

    Intervals are those of order statistics (``lrd.stats.median_interval``). Two groups: the median of the differences
    of pairs, or, unpaired, Hodges and Lehmann's shift (``lrd.stats.shift``).
    """
    if second is None:
        return median_between(first.value, first.value, f"median of {first.count}", f"{first.unit}s", level)
    one, other = first.value, second.value
    if pairs:
        one, other = one[pairs[0]], other[pairs[1]]
        low, high = (_filled(one, unknown) for unknown in (-np.inf, np.inf))
        low, high = differences(low, _filled(other, np.inf)), differences(high, _filled(other, -np.inf))
        of = f"median difference of {len(one)} pairs"
        return median_between(low, high, of, "pairs", level, differences(one, other))
    worst = shift(_filled(one, -np.inf), _filled(other, np.inf), level)
    best = shift(_filled(one, np.inf), _filled(other, -np.inf), level)
    of = f"shift between {first.count} and {second.size}"
    found = shift(one, other, level)
    if worst.attainable < level:
        sizes = f"{one.size} and {other.size} {first.unit}s"
        most = f"of a shift at most at {100 * worst.attainable:.4g} %, not {100 * level:.4g} %"
        return no_interval(f"{sizes} give an interval {most}", found.shift, of)
    return Estimate(found.shift, worst.low, best.high, of)


def mean_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the mean of a group, or the difference of two, with Student's interval.

    Two groups: the mean difference of pairs, or, unpaired, Welch's difference (``lrd.stats.welch``).
    """
    if second is None:
        found, of = mean_interval(first.value, level), f"mean of {first.count}"
    elif pairs:
        found = mean_interval(differences(first.value[pairs[0]], second.value[pairs[1]]), level)
        of = f"mean difference of {first.size} pairs"
    else:
        found = welch(mean_interval(first.value, level), mean_interval(second.value, level))
        of = f"difference of means of {first.count} and {second.size}"
    if found.missing:
        return no_interval(f"{found.missing} without the number", found.mean, of)
    why = "" if found.error == found.error else "no spread: too few runs, all alike, or an infinite number"
    return Estimate(found.mean, found.low, found.high, of, why)


def median_between(
    low: Floats, high: Floats, of: str, what: str, level: float, values: Floats | None = None
) -> Estimate:
    """Return the median of numbers of which each is known to lie between two bounds.

    Args:
        low: the least that each number may be; NaN: no bound is known.
        high: the most that it may be.
        of: what is estimated, in words.
        what: what the numbers are, in the plural, for the reason where they are too few.
        level: of the interval.
        values: the numbers whose median is the estimate, NaN left out. Default: ``low``.
    """
    worst, best = median_interval(_filled(low, -np.inf), level), median_interval(_filled(high, np.inf), level)
    estimate = median_interval(low if values is None else values, level).estimate
    if worst.attainable < level:
        return no_interval(too_few(worst.count, what, level), estimate, of)
    return Estimate(estimate, worst.low, best.high, of)


def _filled(values: Floats, unknown: float) -> Floats:
    return np.where(np.isnan(values), unknown, values)
