"""Parts of the lines under a figure: how many runs it shows, what its bands are, which runs did not come to an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lrd.figures.labels import in_order
from lrd.figures.tables import Table
from lrd.stats import Band


def pooling(runs: Table) -> str:
    """Return over which options a figure pools its runs, as a sentence after a space; empty where over seeds alone."""
    options = in_order(text for text in runs["pooled"] if text)
    return f" Pooled over {'; '.join(options)}." if options else ""


def drawn_over(runs: Table) -> str:
    """Return what a median is taken over: ``seeds``, or ``runs`` where they differ in more than their seed."""
    return "runs" if pooling(runs) else "seeds"


def lines_are(runs: Table, counts: Sequence[int], bands: Iterable[Band]) -> str:
    """Return what the lines and bands of a figure are, as a sentence.

    Args:
        runs: The table of the runs drawn.
        counts: How many runs each line is a median of.
        bands: The bands that are drawn.
    """
    return f"Lines: median over {drawn_over(runs)} ({span(counts)}); {in_words(band.kind for band in bands)}."


def shortfall(runs: Table) -> str:
    """Return what did not come to an end, as ``1 failed, 2 unfinished``; empty where every run did."""
    tally = Counter("unfinished" if s in ("running", "interrupted") else s for s in runs["state"] if s != "finished")
    tally["diverged"] = int((runs["outcome"] == "diverged").sum())
    return ", ".join(f"{tally[name]} {name}" for name in ("diverged", "failed", "unfinished") if tally[name])


def in_words(kinds: Iterable[str]) -> str:
    """Return what bands of these kinds are (``lrd.stats.Band.kind``), for the line under a figure."""
    words = {"none": "no band for one seed", "min-max": "band: least to greatest"}
    return " or ".join(words.get(kind, f"band: {kind} quantiles") for kind in sorted(set(kinds)))


def span(counts: Sequence[int]) -> str:
    """Return ``n = 5``, or ``n = 3–5`` where panels or points differ in their counts."""
    low, high = min(counts), max(counts)
    return f"n = {low}" if low == high else f"n = {low}–{high}"
