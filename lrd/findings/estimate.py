"""What a measure says of one group of runs or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, nan

from lrd.findings.groups import Group

Pairs = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, NaN where there is none. ``of``: of what, with counts; ``why``: why no interval."""

    estimate: float
    low: float
    high: float
    of: str
    why: str = ""


#: One group, or two and how their runs are paired, if they are; and the level of the interval.
Measure = Callable[[Group, Group | None, Pairs | None, float], Estimate]


def nothing(why: str, estimate: float = nan, of: str = "") -> Estimate:
    """No interval, and why."""
    return Estimate(estimate, nan, nan, of, why)


def runs(count: int) -> str:
    """``1 run``, ``5 runs``."""
    return f"{count} run{'' if count == 1 else 's'}"


def short(value: float) -> str:
    """Three digits, without an exponent where that reads well."""
    if abs(value) < 1e-9:  # beside 0, as a bound is that an exact test keeps there
        return "0"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def too_few(count: int, what: str, level: float) -> str:
    """Why order statistics of so many values give no interval, and how many would."""
    needed = ceil(1 - log2(1 - level))
    return f"{count} {what} are too few for an interval of a median at {100 * level:.4g} %: that takes {needed}"
