"""What the units of a character model do along windows of its text, with the features of the text there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrd.cells import Cell, one_layer
from lrd.probes.base import Subject
from lrd.shapes import Float, Tensor
from lrd.tasks import Batch, Stream, Text
from lrd.tasks.text_features import FEATURES, Feature, features_of


class Unit(NamedTuple):
    """One entry of a state variable. Layers are counted from 1, entries from 0."""

    layer: int
    variable: str
    unit: int


class Windows(NamedTuple):
    """Windows of a text: characters and features [characters, windows], and the activation of each unit there."""

    characters: np.ndarray
    features: dict[str, Feature]
    values: np.ndarray  # [characters, windows, units]


def units_of(cell: Cell) -> list[Unit]:
    """Return every unit of a network that probes measure, in the order of ``windows_of``."""
    stepped = one_layer(cell).stepped
    variables = list(zip(stepped.measured_names, stepped.measured_sizes, strict=True))
    layers = range(1, cell.layers + 1)
    return [Unit(layer, name, unit) for layer in layers for name, size in variables for unit in range(size)]


def states_by_layer(subject: Subject, batch: Batch) -> list[Float[Tensor, "time 1 batch _"]]:
    """Return the state variables of every layer along a text, in the order of ``units_of``."""
    layers = ((part.cell.measured_names, part.states(batch)) for part in subject.parts())
    return [states[name] for names, states in layers for name in names]


def windows_of(subject: Subject, samples: int, number: int) -> Windows:
    """Return the probe windows of a number, as long as the task says, and what a network of one run does there."""
    assert isinstance(subject.task, Text)
    states = states_by_layer(subject, subject.sequences(samples, number))
    values = np.concatenate([state[:, 0].cpu().numpy() for state in states], axis=-1)
    characters, features = features_of(subject.task, Stream(subject.seeds, "probe", number), samples)
    return Windows(characters, features, values)


def together(parts: Sequence[Windows]) -> Windows:
    """Return windows of several numbers side by side."""

    def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays, 1)

    features = {
        name: Feature(*(joined([part.features[name][place] for part in parts]) for place in range(2)))
        for name in FEATURES
    }
    return Windows(joined([part.characters for part in parts]), features, joined([part.values for part in parts]))


def passage(windows: Windows, feature: str, length: int) -> tuple[int, slice]:
    """Return the window that shows a feature, and which steps of it to show.

    It is the one in which the feature varies most; for the place in the line it is the median one, since the longest
    lines are those of tables. The steps begin with the first line that leaves enough of them.
    """
    levels, known = windows.features[feature]
    spans = [_span(characters, length) for characters in windows.characters.T]
    spread = [
        np.std(levels[span, window], where=known[span, window]) if known[span, window].any() else 0.0
        for window, span in enumerate(spans)
    ]
    order = np.argsort(spread, kind="stable")
    chosen = int(order[len(order) // 2] if feature == "line" else order[-1])
    return chosen, spans[chosen]


def _span(characters: np.ndarray, length: int) -> slice:
    starts = np.flatnonzero((characters[:-1] == "\n") & (characters[1:] != "\n")) + 1
    start = int(starts[0]) if len(starts) and starts[0] + length <= len(characters) else 0
    return slice(start, start + length)
