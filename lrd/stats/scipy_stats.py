"""``scipy.stats``, which is imported when something of it is first used.

It takes longer to import than most commands take to do without it: training states no interval.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scipy import stats

    return getattr(stats, name)
