"""How much of what was shown can be read from the state of each run, as figures of retention show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrd.figures.errors import NothingToDrawError
from lrd.figures.start_and_end import rows_at
from lrd.figures.tables import Table, groups, pivot
from lrd.stats import median


def retention_scores(study: Any, item: str = "median") -> Table:
    """Return how well an item can be read from the state at each step, at the start and at the end of finished runs.

    Args:
        study: The study.
        item: An item of the task by name, or ``median``: the median over all that were shown by then.

    Returns:
        run_id, moment (init or end), layer, direction, variable, t, answer (the step of the answer), score and chance.

    Raises:
        NothingToDrawError: No item has this name.
    """
    rows = rows_at(study, "retention", "layer, direction, item, variable, t, lag, score, chance")
    if item != "median":
        known = sorted(set(rows["item"]))
        if known and item not in known:
            raise NothingToDrawError(f"no item {item!r} in its records; there is {', '.join(known)}, or median")
        rows = {name: column[rows["item"] == item] for name, column in rows.items()}
    parts = []
    keys = ("run_id", "moment", "layer", "direction", "variable")
    for key, measured in groups(rows, *keys):
        steps, scores = pivot(measured, "item", "t", "score")
        chances = pivot(measured, "item", "t", "chance")[1]
        labels = {name: np.full(len(steps), value, dtype=object) for name, value in zip(keys, key, strict=True)}
        answer = np.full(len(steps), np.max(measured["t"] + measured["lag"]))
        parts.append(labels | {"t": steps, "answer": answer, "score": median(scores), "chance": median(chances)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else rows
