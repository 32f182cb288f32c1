"""Hypotheses held against the records of a study.

The interval of each of m hypotheses has the level 1 - 0.05 / m (Bonferroni): however they depend on each other, the
chance that any interval misses what it estimates stays below 5 %, as far as each one keeps its level. Runs count as
independent of each other; so do pairs of runs where a hypothesis compares two groups over the same seeds, and units
where it says what makes one (``per``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np

from lrd.findings.ambiguous_names import names_instead
from lrd.findings.estimate import Estimate, Measure, no_interval, runs, short
from lrd.findings.finding import UNDECIDED, Finding, verdict
from lrd.findings.gaps import critical_gap_of_runs, wall_of_runs
from lrd.findings.groups import Group, group, pairs, units
from lrd.findings.hypothesis import Hypothesis
from lrd.findings.medians_and_means import mean_of_runs, median_of_runs
from lrd.findings.queries import BrokenError, NotYetError
from lrd.findings.shares import share_of_runs
from lrd.findings.times import mean_updates, median_updates, solving_rate
from lrd.findings.trends import trend_of_runs
from lrd.records import Study

_TOGETHER = 0.95  # level at which the intervals of all hypotheses of a study hold at once

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


def check_hypotheses(hypotheses: Sequence[Hypothesis], study: Study) -> list[Finding]:
    """Return a finding for each hypothesis, in their order.

    What cannot be checked, or not yet, is undecided, with the reason; nothing is raised for it.
    """
    level = 1 - (1 - _TOGETHER) / max(len(hypotheses), 1)
    return [_check(hypothesis, study, level, len(hypotheses)) for hypothesis in hypotheses]


def _check(hypothesis: Hypothesis, study: Study, level: float, hypotheses: int) -> Finding:
    groups: list[Group] = []
    broken = ""
    try:
        groups = [group(study, hypothesis, condition) for condition in (hypothesis.of, hypothesis.than) if condition]
        found = _estimate(hypothesis, groups, study, level)
    except NotYetError as error:
        found = no_interval(str(error))
    except BrokenError as error:
        broken = str(error)
        found = no_interval(f"cannot be checked: {broken}")
    said = verdict(hypothesis, found.low, found.high)
    reason = ""
    if said == UNDECIDED:
        reason = found.why or f"the interval does not lie wholly on one side: {hypothesis.stated} is stated"
        reason += _shortfall(groups)
    return Finding(
        name=hypothesis.name,
        says=hypothesis.says,
        verdict=said,
        numbers=_numbers(hypothesis, found, level, hypotheses) + ("" if reason else _shortfall(groups)),
        reason=reason,
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        level=level,
        threshold=hypothesis.threshold,
        runs=sum(each.size for each in groups),
        published=hypothesis.published,
        stated=hypothesis.stated,
        broken=broken,
    )


def _estimate(hypothesis: Hypothesis, groups: Sequence[Group], study: Study, level: float) -> Estimate:
    for key, each in zip(("of", "than"), groups, strict=False):
        if not each.size:
            condition = getattr(hypothesis, key)
            raise NotYetError(f"no run meets {key}: {condition}{names_instead(condition, study)}")
    if len(groups) > 1 and (both := set(groups[0].run_id) & set(groups[1].run_id)):
        raise BrokenError(f"than: {runs(len(both))} are in both groups; say of and than so that none is")
    first, *others = (units(hypothesis, each) for each in groups)
    if not others:
        return _MEASURES[hypothesis.measure](first, None, None, level)
    (second,) = others
    return _MEASURES[hypothesis.measure](first, second, pairs(hypothesis, first, second), level)


def _numbers(hypothesis: Hypothesis, found: Estimate, level: float, hypotheses: int) -> str:
    if not found.of:
        return ""
    together = "" if hypotheses < 2 else f" ({100 * _TOGETHER:g} % over {hypotheses} hypotheses)"
    bounds = f"{short(found.low)} to {short(found.high)}" if found.low == found.low else "none"
    interval = f"{100 * level:.4g} % interval{together} {bounds}"
    published = "" if hypothesis.published is None else f"; published: {hypothesis.published:.10g}"
    return f"{found.estimate:.3g} ({found.of}); {interval}; stated: {hypothesis.stated}{published}"


def _shortfall(groups: Sequence[Group]) -> str:
    """Return how many runs did not come to an end, or have no number, as the end of a line."""
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
