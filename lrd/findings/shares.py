"""The share of runs that solved their task, or whose number is not 0.

Runs whose number is not known might all count or none of them: the interval reaches from the one case to the other. The
estimate counts none of them.

A verdict needs an interval that misses no more often than its level says, also beyond 95 % and for a handful of runs.
Wilson's interval does not keep its level there, nor do Newcombe's, which are made of Wilson's. Of 5 pairs, for example,
let one cell solve all and the other one. Newcombe's interval of the difference then excludes 0 at a level of 99.3 %,
but McNemar's exact test has p = 0.125. So a share has Clopper and Pearson's exact interval, and the interval of a
difference includes 0 unless the exact test (McNemar's for pairs, Fisher's for independent groups) rejects equality.
"""

from __future__ import annotations

import numpy as np

from lrd.findings.estimate import Estimate, runs
from lrd.findings.groups import Floats, Group, Pairs
from lrd.stats import PairedShares, Share, ShareDifference, paired_shares, share, share_difference

_BEYOND = 1e-12  # how far beyond 0 the interval of a difference reaches where the exact test does not exclude 0


def share_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Return the share of a group, or the first share minus the second, of pairs or of independent groups."""
    if second is None:
        none, every = (_share(_filled(first.value, unknown), level, exact=True) for unknown in (0.0, 1.0))
        return Estimate(none.share, none.low, every.high, f"{none.successes} of {runs(none.count)}")
    one, other = first.value, second.value
    found: PairedShares | ShareDifference
    if pairs:
        one, other = one[pairs[0]], other[pairs[1]]
        cases = [(_filled(one, x), _filled(other, y)) for x, y in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0))]
        found, worst, best = (paired_shares(x, y, level) for x, y in cases)
        counts = f"{found.both + found.first} and {found.both + found.second} of {len(one)} pairs"
        low, high = _reaching(worst, level)[0], _reaching(best, level)[1]
    else:
        least, most = (_share(_filled(one, unknown), level) for unknown in (0.0, 1.0))
        of_other, most_of_other = (_share(_filled(other, unknown), level) for unknown in (0.0, 1.0))
        found = share_difference(least, of_other)
        counts = f"{least.successes} of {runs(least.count)} and {of_other.successes} of {of_other.count}"
        low = _reaching(share_difference(least, most_of_other), level)[0]
        high = _reaching(share_difference(most, of_other), level)[1]
    return Estimate(found.difference, low, high, f"difference, {counts}, exact p = {found.p:.2g}")


def _reaching(found: PairedShares | ShareDifference, level: float) -> tuple[float, float]:
    """Return the bounds of a difference, just beyond 0 where the exact test does not exclude 0."""
    if found.p < 1 - level:
        return found.low, found.high
    return min(found.low, -_BEYOND), max(found.high, _BEYOND)


def _filled(flags: Floats, unknown: float) -> Floats:
    return np.where(np.isnan(flags), unknown, flags != 0).astype(np.float64)


def _share(flags: Floats, level: float, exact: bool = False) -> Share:
    return share(int(flags.sum()), flags.size, level, exact)
