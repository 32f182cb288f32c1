"""Claims held against the records of a study.

Many are checked, so each has an interval at 1 - 0.05 / (their number): however they depend on each other, the chance
that any of them misses what it estimates stays below 5 % (Bonferroni), as far as each interval has its level. Runs
count as independent of each other, pairs of runs where a claim compares two groups over the same seeds, or units where
it says what makes one (``per``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np

from lrd.findings.claim import Claim
from lrd.findings.estimate import Estimate, Measure, nothing, runs, short
from lrd.findings.finding import UNDECIDED, Finding, verdict
from lrd.findings.gaps import critical_gap_of_runs, wall_of_runs
from lrd.findings.groups import BrokenError, Group, NotYetError, group, pairs, units
from lrd.findings.middles import mean_of_runs, median_of_runs, trend_of_runs
from lrd.findings.shares import share_of_runs
from lrd.findings.times import mean_updates, median_updates, solving_rate
from lrd.records import Study

TOGETHER = 0.95  # at which the intervals of all claims of a study hold at once

_MEASURES: Mapping[str, Measure] = {
    "share": share_of_runs,
    "median": median_of_runs,
    "mean": mean_of_runs,
    "trend": trend_of_runs,
    "mean_updates": mean_updates,
    "median_updates": median_updates,
    "solving_rate": solving_rate,
    "critical_gap": critical_gap_of_runs,
    "wall": wall_of_runs,
}


def check_claims(claims: Sequence[Claim], study: Study) -> list[Finding]:
    """A finding for each claim, in their order. What cannot be checked is undecided, with the reason."""
    level = 1 - (1 - TOGETHER) / max(len(claims), 1)
    return [_check(claim, study, level, len(claims)) for claim in claims]


def _check(claim: Claim, study: Study, level: float, claims: int) -> Finding:
    groups: list[Group] = []
    broken = ""
    try:
        groups = [group(study, claim, condition) for condition in (claim.of, claim.than) if condition]
        found = _estimate(claim, groups, level)
    except NotYetError as error:
        found = nothing(str(error))
    except BrokenError as error:
        broken = str(error)
        found = nothing(f"cannot be checked: {broken}")
    said = verdict(claim, found.low, found.high)
    reason = ""
    if said == UNDECIDED:
        reason = found.why or f"the interval does not lie wholly on one side: {claim.claimed} is claimed"
        reason += _shortfall(groups, claim)
    return Finding(
        name=claim.name,
        says=claim.says,
        verdict=said,
        numbers=_numbers(claim, found, level, claims) + ("" if reason else _shortfall(groups, claim)),
        reason=reason,
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        level=level,
        threshold=claim.threshold,
        runs=sum(each.size for each in groups),
        broken=broken,
    )


def _estimate(claim: Claim, groups: Sequence[Group], level: float) -> Estimate:
    for key, each in zip(("of", "than"), groups, strict=False):
        if not each.size:
            raise NotYetError(f"no run meets {key}: {getattr(claim, key)}")
    if len(groups) > 1 and (both := set(groups[0].run_id) & set(groups[1].run_id)):
        raise BrokenError(f"than: {runs(len(both))} are in both groups; say of and than so that none is")
    first, *others = (units(claim, each) for each in groups)
    if not others:
        return _MEASURES[claim.measure](first, None, None, level)
    (second,) = others
    return _MEASURES[claim.measure](first, second, pairs(claim, first, second), level)


def _numbers(claim: Claim, found: Estimate, level: float, claims: int) -> str:
    if not found.of:
        return ""
    together = "" if claims < 2 else f" ({100 * TOGETHER:g} % over {claims} claims)"
    bounds = f"{short(found.low)} to {short(found.high)}" if found.low == found.low else "none"
    return (
        f"{found.estimate:.3g} ({found.of}); {100 * level:.4g} % interval{together} {bounds}; claimed: {claim.claimed}"
    )


def _shortfall(groups: Sequence[Group], claim: Claim) -> str:
    """How many runs did not come to an end, or have no number, as the end of a line."""
    states = [str(state) for each in groups for state in each.state]
    values = np.concatenate([each.value for each in groups]) if groups else np.array([nan])[:0]
    unmeasured = int(sum(state == "finished" and bool(np.isnan(v)) for state, v in zip(states, values, strict=True)))
    counts = {
        "failed": states.count("failed"),
        "unfinished": sum(state in ("running", "interrupted") for state in states),
        "without the number": unmeasured,
    }
    words = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"; of the runs: {words}" if words else ""
