"""Shares of runs: how many of the seeds solved a task, with Wilson's score interval.

Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22, eq. for p: with z the
normal quantile of the level,

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

It stays inside [0, 1] and has width at 0 of n and n of n, where the textbook p +- z sqrt(p(1-p)/n) has none: 5 of 5
seeds says "between 57 % and 100 %". Its coverage averages near the level even at n = 5 (Brown, Cai, DasGupta 2001).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from scipy.stats import binomtest

OUTCOMES = ("solved", "unsolved", "diverged")
UNFINISHED = ("running", "interrupted")


@dataclass(frozen=True)
class Share:
    """``successes`` of ``count``, with an interval; share and bounds are NaN where ``count`` is 0."""

    successes: int
    count: int
    share: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class SolveShare(Share):
    """Share solved of all runs that were begun, and what became of the others (they sum to ``count``)."""

    unsolved: int
    diverged: int
    failed: int
    unfinished: int


def share(successes: int, count: int, level: float = 0.95, exact: bool = False) -> Share:
    """Share of successes with Wilson's score interval (two-sided, without continuity correction).

    ``exact``: with Clopper and Pearson's (1934, Biometrika 26) instead, which misses no more often than its level says,
    at any level, number and share; Wilson's does beyond 95 % and near 0 or 1.

    Raises:
        ValueError: unless 0 <= successes <= count and 0 < level < 1.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"successes must lie between 0 and count, not {successes} of {count}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, not {level}")
    if count == 0:
        return Share(0, 0, nan, nan, nan, level)
    method = "exact" if exact else "wilson"
    interval = binomtest(successes, count).proportion_ci(confidence_level=level, method=method)
    return Share(successes, count, successes / count, float(interval.low), float(interval.high), level)


def solve_share(states: Sequence[str], outcomes: Sequence[str | None], level: float = 0.95) -> SolveShare:
    """Share solved over runs given by the columns ``state`` and ``outcome`` of the records.

    Every run counts in the denominator. Only a finished run can be solved; one that diverged, failed, was interrupted
    or still runs is not solved, and is counted under its own name so that a figure can say so.

    Raises:
        ValueError: the columns differ in length, a finished run has no known outcome, or a state is unknown.
    """
    if len(states) != len(outcomes):
        raise ValueError(f"one outcome a state: {len(states)} states, {len(outcomes)} outcomes")
    tally: Counter[str] = Counter()
    for state, outcome in zip(states, outcomes, strict=True):
        if state in UNFINISHED:
            tally["unfinished"] += 1
        elif state == "failed":
            tally["failed"] += 1
        elif state == "finished" and outcome in OUTCOMES:
            tally[str(outcome)] += 1
        else:
            raise ValueError(f"a run of state {state!r} and outcome {outcome!r} cannot be counted")
    part = share(tally["solved"], tally.total(), level)
    return SolveShare(
        **vars(part),
        unsolved=tally["unsolved"],
        diverged=tally["diverged"],
        failed=tally["failed"],
        unfinished=tally["unfinished"],
    )
