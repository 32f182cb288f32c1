"""Times and sizes as text, with no more digits than estimates are worth."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return ``0.8 s``, ``12 s``, ``3 min 20 s``, ``45 min``, ``1 h 05 min`` or ``5 days``."""
    if seconds < 0.95:
        return f"{seconds:.1g} s" if seconds else "0 s"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{round(minutes / 1440)} days"


def span(least: float, most: float) -> str:
    """Return ``1 min 10 s to 3 min 20 s``, or one time where both read the same."""
    ends = [duration(least), duration(most)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def memory(size: float) -> str:
    """Return ``340 MB`` or ``1.2 GB``."""
    unit, scale = ("GB", 1e9) if size >= 0.995e9 else ("MB", 1e6)
    return f"{float(f'{size / scale:.2g}'):g} {unit}"
