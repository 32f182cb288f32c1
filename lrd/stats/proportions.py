"""Shares of runs: how many of the seeds solved a task, with Wilson's or the exact interval.

Wilson's score interval (Wilson 1927, Journal of the American Statistical Association 22), with p the share of n runs
and z the normal quantile of the level:

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

It stays inside [0, 1] and has a width at 0 of n and n of n, where the textbook's p +- z sqrt(p(1-p)/n) has none: 5 of 5
seeds give 57 % to 100 %. Its coverage averages near the level even at n = 5 (Brown, Cai & DasGupta 2001, Statistical
Science 16).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from lrd.stats import scipy_stats
from lrd.stats.levels import check_level

OUTCOMES = ("solved", "unsolved", "diverged")
UNFINISHED = ("running", "interrupted")


@dataclass(frozen=True)
class Share:
    """A share: ``successes`` of ``count`` runs, with its interval; share and bounds are NaN where ``count`` is 0."""

    successes: int
    count: int
    share: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class SolveShare(Share):
    """The share solved of all runs that were begun, and how many of the others ended in which way."""

    unsolved: int
    diverged: int
    failed: int
    unfinished: int


def share(successes: int, count: int, level: float = 0.95, exact: bool = False) -> Share:
    """Return the share of successes with a two-sided interval.

    Args:
        successes: how many runs count, from 0 to ``count``.
        count: how many runs there are.
        level: of the interval, between 0 and 1.
        exact: take Clopper and Pearson's interval (1934, Biometrika 26), which misses no more often than its level says
            at any level, number and share. Wilson's, without continuity correction, does miss more often beyond 95 %
            and near 0 or 1.

    Raises:
        ValueError: unless 0 <= successes <= count and 0 < level < 1.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"successes must lie between 0 and count, not {successes} of {count}")
    check_level(level)
    if count == 0:
        return Share(0, 0, nan, nan, nan, level)
    method = "exact" if exact else "wilson"
    interval = scipy_stats.binomtest(successes, count).proportion_ci(confidence_level=level, method=method)
    return Share(successes, count, successes / count, float(interval.low), float(interval.high), level)


def solve_share(states: Sequence[str], outcomes: Sequence[str | None], level: float = 0.95) -> SolveShare:
    """Return the share of runs that solved their task, with Wilson's interval.

    Every run counts in the denominator. Only a finished run can have solved it; one that diverged, failed, was
    interrupted or still runs has not, and is counted under its own name so that a figure can say so.

    Args:
        states: the column ``state`` of the records [runs].
        outcomes: the column ``outcome`` [runs]; of ``OUTCOMES`` where the run is finished.
        level: of the interval, between 0 and 1.

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
