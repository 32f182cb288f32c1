"""Walls: the largest gap that a cell still solves, by the share of seeds that solved each gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrd.stats.proportions import Share


@dataclass(frozen=True)
class Wall:
    """The largest gap that at least half of the runs solved, and between which gaps it lies.

    Attributes:
        gap: the wall; ``None`` where no gap was solved by half of the runs.
        low: the largest gap at which the lower bound of the share solved is at least 1/2: half of all seeds would
            surely solve it, at the level of the shares and for this gap by itself. ``None``: no gap.
        high: the largest gap at which the upper bound is at least 1/2: beyond it half of all seeds would surely not.
        tried: the largest gap that has runs. A ``gap`` or ``high`` that reaches it may lie any way beyond.
    """

    gap: int | None
    low: int | None
    high: int | None
    tried: int


def wall(shares: Mapping[int, Share]) -> Wall:
    """Return the wall of a cell.

    Args:
        shares: of the runs that solved each gap, by gap; gaps without runs are left out.

    Raises:
        ValueError: there are no runs at all.
    """
    known = {gap: share for gap, share in shares.items() if share.count}
    if not known:
        raise ValueError("a wall needs runs")

    def largest(bound: str) -> int | None:
        return max((gap for gap, share in known.items() if getattr(share, bound) >= 0.5), default=None)

    return Wall(largest("share"), largest("low"), largest("high"), max(known))
