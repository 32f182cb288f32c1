"""How large a gap is solved: the critical gap and the wall. Runs not known to have solved it may have or not."""

from __future__ import annotations

from math import inf, nan

import numpy as np

from lrd.findings.estimate import Estimate, Pairs, nothing, runs
from lrd.findings.groups import BrokenError, Floats, Group
from lrd.stats import Share, critical_gap, share, wall


def critical_gap_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """With a bootstrap over seeds. The ratio of two lies within the ratios of their bounds, each at half the error."""
    if second is None:
        return _critical(first, level)
    one, other = (_critical(group, (1 + level) / 2) for group in (first, second))
    of = f"ratio of {one.of} and {other.of}"
    if why := one.why or other.why:
        return nothing(why, _ratio(one.estimate, other.estimate), of)
    low, high = _ratio(one.low, other.high), _ratio(one.high, other.low)
    known = low == low and high == high
    why = "" if known else "both may lie below, or both above, every gap that was tried"
    return Estimate(_ratio(one.estimate, other.estimate), low if known else nan, high if known else nan, of, why)


def wall_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """The largest gap that half solve, 0 where there is none; inf: beyond the largest that was tried.

    Between the largest gaps of which the bounds of the share solved reach 1/2, each gap at its part of the error.
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
        return nothing(str(error), of=of)
    known = found.low == found.low and best.high == best.high
    why = "" if known else "too few runs to resample, or all of their resamples agree"
    return Estimate(found.gap, found.low if known else nan, best.high if known else nan, of, why)


def _gaps(group: Group) -> Floats:
    tasks = sorted({f"{task} ({convention})" for task, convention, *_ in group.places})
    if len(tasks) > 1:
        raise BrokenError(f"of: gaps of several tasks do not compare ({', '.join(tasks)}); name one of them in it")
    return np.array([nan if gap is None else float(str(gap)) for _, _, gap, _ in group.places])


def _ratio(one: float, other: float) -> float:
    """NaN where both are 0 or both inf."""
    if other == 0:
        return inf if one > 0 else nan
    return nan if one == other == inf else one / other
