"""What records say of a claim: it holds, it fails, or they do not decide it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from lrd.findings.claim import Claim

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


@dataclass(frozen=True)
class Finding:
    """A claim and what was found, in words and as numbers; NaN where there is nothing to estimate.

    ``verdict``: ``holds`` where the interval lies wholly on the side that is claimed, ``fails`` where it lies wholly on
    the other, else ``undecided``. ``numbers``: estimate, interval with its level, counts, in one line. ``reason``: why
    it is undecided, else empty. ``level``: of this one interval, so that those of all claims of the study hold together
    at 95 % (Bonferroni). ``threshold``: what the estimate is held against; of ``within``, the upper number. ``runs``:
    of the group, or of both. ``broken``: what is wrong with the statement itself, where these records cannot be asked
    for it; else empty.
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
    broken: str = ""


def verdict(claim: Claim, low: float, high: float) -> str:
    """Where the interval from ``low`` to ``high`` lies."""
    if isnan(low) or isnan(high):
        return UNDECIDED
    least, most = claim.bounds
    if claim.direction == "above":
        return HOLDS if low > least else FAILS if high <= least else UNDECIDED
    if claim.direction == "below":
        return HOLDS if high < most else FAILS if low >= most else UNDECIDED
    return HOLDS if low >= least and high <= most else FAILS if high < least or low > most else UNDECIDED
