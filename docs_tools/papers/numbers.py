"""Numbers as they are kept, with few digits so that differences stay small, and as a page shows them."""

from __future__ import annotations

from math import isfinite, isnan
from typing import Any

DIGITS = 4  # of what is kept


def rounded(value: Any) -> Any:
    """Return a value with every float in it at four significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) and isfinite(value) else value


def shown(value: float | None, digits: int = 3) -> str:
    """Return a number for readers: ``28,900``, ``0.145``, ``∞``; a dash where it is not known."""
    if value is None or isnan(value):
        return "–"
    if not isfinite(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < 1e-9:  # beside 0, as the bounds of exact intervals are
        return "0"
    if value < 0:
        return "−" + shown(-value, digits)
    return f"{value:,.0f}" if 999.5 <= value < 1e9 else f"{value:.{digits}g}"


def as_published(value: float) -> str:
    """Return a number of a paper with all of its digits, and commas between thousands."""
    return f"{value:,.10g}"
