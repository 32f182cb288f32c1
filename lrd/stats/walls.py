"""Walls: the largest gap that a cell still gets over, by the shares of seeds that solved each gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrd.stats.proportions import Share


@dataclass(frozen=True)
class Wall:
    """``gap``: the largest gap solved by at least half of the runs; None where there is none.

    It lies between ``low`` and ``high``, the largest gaps at which the lower and the upper bound of the share are at
    least one half: at gaps up to ``low`` it is certain, at the level of the shares and for each gap by itself, that
    half of all seeds would solve it; above ``high`` that they would not. None: at no gap. ``tried``: the largest gap
    there were runs at; a ``high`` (or ``gap``) that reaches it says nothing of how much further it goes.
    """

    gap: int | None
    low: int | None
    high: int | None
    tried: int


def wall(shares: Mapping[int, Share]) -> Wall:
    """The wall from the share of runs that solved each gap. Gaps without runs are left out.

    Raises:
        ValueError: there are no runs at all.
    """
    known = {gap: share for gap, share in shares.items() if share.count}
    if not known:
        raise ValueError("a wall needs runs")

    def largest(bound: str) -> int | None:
        return max((gap for gap, share in known.items() if getattr(share, bound) >= 0.5), default=None)

    return Wall(largest("share"), largest("low"), largest("high"), max(known))
