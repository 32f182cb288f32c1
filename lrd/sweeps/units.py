"""Estimated times and sizes as text, with no more digits than they are worth."""

from __future__ import annotations


def about(seconds: float) -> str:
    """A time in two digits: ``0.8 s``, ``12 s``, ``3.4 min``, ``2.1 h``, ``5 days``."""
    for unit, size, limit in (("s", 1, 99.5), ("min", 60, 99.5), ("h", 3600, 47.5)):
        if seconds / size < limit:
            return f"{two_digits(seconds / size)} {unit}"
    return f"{two_digits(seconds / 86400)} days"


def memory(size: float) -> str:
    """Bytes in two digits: ``340 MB``, ``1.2 GB``."""
    unit, scale = ("GB", 1e9) if size >= 0.995e9 else ("MB", 1e6)
    return f"{two_digits(size / scale)} {unit}"


def two_digits(x: float) -> str:
    """``0.043``, ``3.2``, ``320``."""
    return f"{float(f'{x:.2g}'):g}"
