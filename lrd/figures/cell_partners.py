"""Pairs of runs of two cells: runs of one seed and, where a cell has several of one seed, of the same swept options."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.figures.swept_options import spelled, swept
from lrd.figures.tables import Table


def settings(columns: Table, runs: Table) -> NDArray[Any]:
    """Return in what the runs of one cell, task and gap differ: their seed and the options that were swept.

    Args:
        columns: The table ``runs`` of the records, in the order of ``runs``.
        runs: The table of runs (``runs_of``).

    Returns:
        [runs] as texts; empty for a run without a seed.
    """
    alike = zip(runs["panel"], runs["gap"], runs["label"], strict=True)
    options = swept(columns, alike)
    swept_over = [[f"{name} = {spelled(value)}" for value in column] for name, column in options.items()]
    seeds = ["" if seed is None or seed != seed else f"{seed:g}" for seed in runs["seed"]]
    return np.array(
        [", ".join(parts) if parts[0] else "" for parts in zip(seeds, *swept_over, strict=True)], dtype=object
    )


def matched(one: Table, other: Table) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the places of runs of two cells that are partners, in equal order.

    A run has no partner if its own cell has another run of the same seed and options.

    Args:
        one: Runs of one cell, with ``seed`` and ``settings``.
        other: Runs of the other cell.
    """
    seeds = [[seed for seed in side["seed"] if seed is not None and seed == seed] for side in (one, other)]
    alone = all(len(set(known)) == len(known) for known in seeds)
    first, second = (_once(side["seed" if alone else "settings"]) for side in (one, other))
    both = [key for key in first if key in second]
    return np.array([first[key] for key in both], dtype=int), np.array([second[key] for key in both], dtype=int)


def _once(keys: NDArray[Any]) -> dict[Any, int]:
    """Return the place of each key that is there once, without empty ones."""
    known = Counter(keys.tolist())
    return {key: place for place, key in enumerate(keys.tolist()) if known[key] == 1 and key not in ("", None)}
