"""The share of fresh sequences that training has drawn before.

The random words of training, evaluation, test and probes are disjoint (``lrd.tasks.streams``). The sequences made of
them are not where a task has few of them: all 32 lists of 5-bit memorisation are trained on within a few batches, and
what is evaluated is then no other data. Of n training sequences a fresh one is found among them with probability

    sum over sequences s of p(s) (1 - (1 - p(s))^n),

where p(s) is how likely s is to be drawn. A sequence is what the network is shown, its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: Sequences by how likely each is: the share of all draws that such sequences make up, and the log probability of one.
Likelihoods = Sequence[tuple[float, float]]

#: Of tasks that show real numbers. (A single one comes again about once in 2**24 draws, which counts as never.)
NEVER: Likelihoods = ((1.0, -math.inf),)


def alike(log_number: float) -> Likelihoods:
    """Return the likelihoods of sequences that are all as likely, from the natural log of their number."""
    return ((1.0, -log_number),)


def seen_share(likelihoods: Likelihoods, drawn: int) -> float:
    """Return the expected share of fresh sequences that are among ``drawn`` sequences drawn before."""
    return math.fsum(share * _drawn_once(math.exp(log_p), drawn) for share, log_p in likelihoods)


def log10_number(likelihoods: Likelihoods) -> float:
    """Return log10 of the number of different sequences; inf for real numbers."""
    logs = [math.log(share) - log_p for share, log_p in likelihoods if share > 0]
    most = max(logs)
    if most == math.inf:
        return math.inf
    return (most + math.log(math.fsum(math.exp(log - most) for log in logs))) / math.log(10)


def seen_among(part: np.ndarray, other: np.ndarray, drawn: int) -> float:
    """Return the expected share of some sequences of real data that training has drawn before.

    Args:
        part: training sequences, a number each, equal for equal ones.
        other: the sequences that are asked for, in the same numbering.
        drawn: how many of ``part`` were drawn, with replacement.
    """
    kinds, counts = np.unique(part, return_counts=True)
    place = np.searchsorted(kinds, other).clip(max=len(kinds) - 1)
    p = np.where(kinds[place] == other, counts[place] / len(part), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0 where the part has one sequence, 0 * inf of no draw
        seen = -np.expm1(drawn * np.log1p(-p))
    return float(np.where(p > 0, seen, 0.0).mean()) if drawn else 0.0


def _drawn_once(p: float, drawn: int) -> float:
    """Return 1 - (1 - p)^drawn, to full precision for small p."""
    if p >= 1:
        return float(drawn > 0)
    return -math.expm1(drawn * math.log1p(-p))
