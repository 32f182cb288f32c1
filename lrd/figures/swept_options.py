"""Options that a study sweeps beside task, gap, label and seed: runs that differ in them differ in more than seed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.figures.drawable_text import named
from lrd.figures.labels import in_order
from lrd.records import without_home

GROUPS = ("task", "cell", "optimizer", "training", "evaluation")
#: Options by which figures have panels and labels in any case.
TOLD_APART = ("task_name", "task_gap", "task_convention", "cell_name", "cell_label")
#: Options that change no result: where the code or the text lies whose digest is an option, too.
PLACES = ("task_path", "task_file", "cell_path")

#: By option, spellings of values that name a run as another value does, and how that one is spelled.
ALIKE = {"training_gradient_norms": {"False": "none"}}

Array = NDArray[Any]


def swept(columns: Mapping[str, Array], same: Iterable[Hashable]) -> dict[str, Array]:
    """Return the options in which runs differ that should be alike.

    Args:
        columns: The table ``runs`` of the records.
        same: [runs] runs with equal values should be alike.

    Returns:
        The columns [runs] of these options, by names such as ``cell.gain``.
    """
    groups: dict[Hashable, list[int]] = {}
    for run, key in enumerate(same):
        groups.setdefault(key, []).append(run)
    found = {}
    for name, column in columns.items():
        group, _, option = name.partition("_")
        if option and group in GROUPS and name not in (*TOLD_APART, *PLACES):
            alike = ALIKE.get(name, {})
            values = [alike.get(text, text) for text in map(spelled, column)]
            if any(len({values[run] for run in runs}) > 1 for runs in groups.values()):
                found[f"{group}.{option}"] = np.array(values, dtype=object) if alike else column
    return found


def pooled(columns: Mapping[str, Array], same: Sequence[Hashable]) -> Array:
    """Return for each run over which options it is pooled with the runs that should be like it, in words.

    Args:
        columns: The table ``runs`` of the records.
        same: [runs] runs with equal values are pooled.

    Returns:
        [runs] such as ``cell.gain 0.7–3``; empty where runs differ by their seed alone.
    """
    options = swept(columns, same)
    texts: dict[Hashable, str] = {}
    for key in set(same):
        chosen = np.array([one == key for one in same])
        ranges = [_range(name, column[chosen]) for name, column in options.items()]
        texts[key] = ", ".join(text for text in ranges if text)
    return np.array([texts[key] for key in same], dtype=object)


def spelled(value: object) -> str:
    """Return an option as text; ``none`` where a run has none."""
    if value is None or value is np.ma.masked or value != value:
        return "none"
    return f"{value:g}" if isinstance(value, float) else without_home(str(value))


def _range(name: str, column: Array) -> str:
    """Return ``cell.gain 0.7–3`` of numbers, ``cell.activation relu, tanh`` of texts; empty if there is one value."""
    values = in_order(spelled(value) for value in column)
    if len(values) < 2:
        return ""
    if column.dtype.kind in "iuf" and "none" not in values:
        return f"{name} {values[0]}–{values[-1]}"
    shown = named(values)
    return f"{name} {', '.join(shown[value] for value in values)}"
