"""The share of runs that solved it, or of which something else is so.

Of runs of which that is not known yet, all might be so or none: the interval reaches from the one case to the other.
The estimate counts them as not.
"""

from __future__ import annotations

import numpy as np

from lrd.findings.estimate import Estimate, Pairs, runs
from lrd.findings.groups import Floats, Group
from lrd.stats import Share, paired_shares, share, share_difference


def share_of_runs(first: Group, second: Group | None, pairs: Pairs | None, level: float) -> Estimate:
    """Wilson's interval; of a difference Newcombe's, for pairs or for independent groups."""
    if second is None:
        none, every = (_share(_filled(first.value, unknown), level) for unknown in (0.0, 1.0))
        return Estimate(none.share, none.low, every.high, f"{none.successes} of {runs(none.count)}")
    one, other = first.value, second.value
    if pairs:
        one, other = one[pairs[0]], other[pairs[1]]
        worst, best, found = (
            paired_shares(_filled(one, x), _filled(other, y), level) for x, y in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0))
        )
        counts = f"{found.both + found.first} and {found.both + found.second} of {len(one)} pairs"
        return Estimate(found.difference, worst.low, best.high, f"difference, {counts}")
    least, most = (_share(_filled(one, unknown), level) for unknown in (0.0, 1.0))
    of_other, most_of_other = (_share(_filled(other, unknown), level) for unknown in (0.0, 1.0))
    counts = f"{least.successes} of {runs(least.count)} and {of_other.successes} of {of_other.count}"
    return Estimate(
        share_difference(least, of_other).difference,
        share_difference(least, most_of_other).low,
        share_difference(most, of_other).high,
        f"difference, {counts}",
    )


def _filled(flags: Floats, unknown: float) -> Floats:
    return np.where(np.isnan(flags), unknown, flags != 0).astype(np.float64)


def _share(flags: Floats, level: float) -> Share:
    return share(int(flags.sum()), flags.size, level)
