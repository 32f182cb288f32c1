"""An estimate with its interval, and what a measure is: a function from one group of runs, or two, to an estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, nan

from lrd.findings.groups import Group, Pairs


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval; NaN bounds where there is none."""

    estimate: float
    low: float
    high: float
    of: str  # what was estimated, with counts
    why: str = ""  # why there is no interval


#: Arguments: a group; a second one to compare it with, if any; how their runs are paired, if they are; the level of the
#: interval, between 0 and 1.
Measure = Callable[[Group, Group | None, Pairs | None, float], Estimate]


def no_interval(why: str, estimate: float = nan, of: str = "") -> Estimate:
    """Return an estimate without interval, and why it has none."""
    return Estimate(estimate, nan, nan, of, why)


def runs(count: int) -> str:
    """Return a number of runs in words: ``1 run``, ``5 runs``."""
    return f"{count} run{'' if count == 1 else 's'}"


def short(value: float) -> str:
    """Return a number with three digits, without an exponent where that reads well; ``0`` for what is as good as 0."""
    if abs(value) < 1e-9:  # beside 0, as a bound is that an exact test keeps there
        return "0"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def too_few(count: int, what: str, level: float) -> str:
    """Return why so many values give no interval of a median: ``5 runs are too few ...: that takes 6``.

    The widest interval of order statistics covers the median with probability 1 - 2^(1 - count).
    """
    needed = ceil(1 - log2(1 - level))
    return f"{count} {what} are too few for an interval of a median at {100 * level:.4g} %: that takes {needed}"
