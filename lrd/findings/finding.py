"""A finding: what the records say of a hypothesis, with its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from lrd.findings.hypothesis import Hypothesis

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


@dataclass(frozen=True)
class Finding:
    """A hypothesis and what was found, in words and as numbers; NaN where there is nothing to estimate.

    Attributes:
        name: of the hypothesis.
        says: its sentence.
        verdict: ``holds``, ``fails`` or ``undecided``, as ``verdict()`` gives it.
        numbers: estimate, interval with its level, and counts, in one line; empty where nothing was estimated.
        reason: why the hypothesis is undecided; else empty.
        estimate: the number that the hypothesis is about.
        low: the lower bound of its confidence interval.
        high: the upper bound.
        level: of this interval, such that the intervals of all hypotheses of the study hold together at 95 %.
        threshold: the number that the estimate is held against; of ``within``, the upper one.
        runs: how many runs the hypothesis is about, in both groups if it has two.
        published: what the paper that the study re-runs gives; None where there is none.
        stated: the stated side in words.
        broken: what is wrong with the statement, where no records like these can be asked for it; else empty.
    """

    name: str
    says: str
    verdict: str
    numbers: str
    reason: str
    estimate: float
    low: float
    high: float
    level: float
    threshold: float
    runs: int
    published: float | None = None
    stated: str = ""
    broken: str = ""


def verdict(hypothesis: Hypothesis, low: float, high: float) -> str:
    """Return the verdict of an interval on a hypothesis.

    Args:
        hypothesis: with the stated side.
        low: lower bound of the interval of what it is about; NaN where there is no interval.
        high: upper bound.

    Returns:
        ``holds`` where the whole interval lies on the stated side, ``fails`` where the whole interval lies on the
        other, else ``undecided``. The numbers of ``above`` and ``below`` belong to the other side, those of ``within``
        to the stated one.
    """
    if isnan(low) or isnan(high):
        return UNDECIDED
    least, most = hypothesis.bounds
    if hypothesis.direction == "above":
        return HOLDS if low > least else FAILS if high <= least else UNDECIDED
    if hypothesis.direction == "below":
        return HOLDS if high < most else FAILS if low >= most else UNDECIDED
    return HOLDS if low >= least and high <= most else FAILS if high < least or low > most else UNDECIDED
