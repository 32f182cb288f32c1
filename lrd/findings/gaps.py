"""How large a gap is solved: the critical gap and the wall.

A run of which it is not known whether it solves its task counts as one that does not for the lower bound of an interval
and as one that does for the upper bound. A gap of 0 says "below every gap that was tried", inf "above every gap".
"""

from __future__ import annotations

from math import inf, nan

import numpy as np

from lrd.findings.estimate import Estimate, no_interval, runs
from lrd.findings.groups import Floats, Group, Pairs
from lrd.findings.queries import BrokenError
from lrd.stats import Share, critical_gap, share, wall


def critical_gap_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the critical gap of a group, or the ratio of two (``lrd.stats.critical_gap``, a bootstrap over seeds).

    The interval of a ratio reaches from the least ratio of the two intervals' bounds to the greatest; each of the two
    intervals has half the error, so that both hold together at the level.

    Raises:
        BrokenError: the runs of a group are of several tasks.
    """
    if second is None:
        return _critical(first, level)
    one, other = (_critical(group, (1 + level) / 2) for group in (first, second))
    of = f"ratio of {one.of} and {other.of}"
    if why := one.why or other.why:
        return no_interval(why, _ratio(one.estimate, other.estimate), of)
    low, high = _ratio(one.low, other.high), _ratio(one.high, other.low)
    known = low == low and high == high
    why = "" if known else "both may lie below, or both above, every gap that was tried"
    return Estimate(_ratio(one.estimate, other.estimate), low if known else nan, high if known else nan, of, why)


def wall_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the largest gap that half of the runs or more solve (``lrd.stats.wall``).

    The interval lies between the largest gaps at which the bounds of the exact interval of the share solved reach 1/2;
    each gap has an equal part of the error, so that all hold together at the level.

    Raises:
        BrokenError: the runs are of several tasks.
    """
    gaps = _gaps(first)
    tried = np.unique(gaps)
    each = 1 - (1 - level) / tried.size
    lows: dict[int, Share] = {}
    highs: dict[int, Share] = {}
    for gap in tried:
        flags = first.solved[gaps == gap]
        known = int(np.nansum(flags))
        lows[int(gap)] = share(known, flags.size, each, exact=True)
        highs[int(gap)] = share(known + int(np.isnan(flags).sum()), flags.size, each, exact=True)
    worst, best = wall(lows), wall(highs)
    high = inf if best.high == best.tried else best.high or 0
    return Estimate(worst.gap or 0, worst.low or 0, high, f"wall of {runs(first.size)} at {tried.size} gaps")


def _critical(group: Group, level: float) -> Estimate:
    gaps, seeds = _gaps(group), np.array([str(place[3]) for place in group.places])
    of = f"critical gap of {runs(group.size)}"
    try:
        found = critical_gap(gaps, np.nan_to_num(group.solved), seeds, level)
        unknown = np.isnan(group.solved).any()
        best = (
            critical_gap(gaps, np.where(np.isnan(group.solved), 1.0, group.solved), seeds, level) if unknown else found
        )
    except ValueError as error:
        return no_interval(str(error), of=of)
    known = found.low == found.low and best.high == best.high
    why = "" if known else "too few runs to resample, or all of their resamples agree"
    return Estimate(found.gap, found.low if known else nan, best.high if known else nan, of, why)


def _gaps(group: Group) -> Floats:
    tasks = sorted({f"{task} ({convention})" for task, convention, *_ in group.places})
    if len(tasks) > 1:
        raise BrokenError(f"of: gaps of several tasks do not compare ({', '.join(tasks)}); name one of them in it")
    return np.array([nan if gap is None else float(str(gap)) for _, _, gap, _ in group.places])


def _ratio(one: float, other: float) -> float:
    """Return one over the other; NaN where both are 0 or both inf."""
    if other == 0:
        return inf if one > 0 else nan
    return nan if one == other == inf else one / other
