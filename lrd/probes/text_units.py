"""Text units: which units of a character model follow an open quote, an open bracket or the place in the line.

After Karpathy, Johnson & Fei-Fei (2015), who found such units in LSTMs by eye. Here units are picked by number, and the
numbers are honest: the windows that a unit is picked by share no character with those that score it and show it, and
chance is what the same search finds where nothing is to be found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from lrd.cells import Cell, one_layer
from lrd.options import OptionError, option
from lrd.probes.base import Probe, Subject
from lrd.probes.correlations import chance_of, correlations, ranks
from lrd.probes.states import one_by_one
from lrd.probes.text_windows import Unit, Windows, passage, together, units_of, windows_of
from lrd.scalars import DTYPES, Columns
from lrd.tasks import Task, Text
from lrd.tasks.parts import PROBED
from lrd.tasks.text_features import FEATURES, has_features

_UNIT = {"layer": "BIGINT", "variable": "VARCHAR", "unit": "BIGINT", "feature": "VARCHAR"}


class Following(NamedTuple):
    """How well each unit follows one feature; all but ``chance`` [units], the columns of ``text_units``."""

    selecting: np.ndarray
    rank: np.ndarray
    score: np.ndarray
    chance: float

    def best(self, count: int) -> list[int]:
        """Return the units that follow the feature best, of those that are not constant."""
        return [int(unit) for unit in np.argsort(self.rank)[:count] if np.isfinite(self.selecting[unit])]


@dataclass(frozen=True)
class TextUnits(Probe):
    """How well each unit follows each feature of a text: tables ``text_units`` and ``text_activations``.

    Features are ``quote`` (1 inside quotes, else 0), ``bracket`` (pairs of brackets open) and ``line`` (characters
    since the end of the last line), as far as the window shows them (``lrd.tasks.text_features``).

    A row of ``text_units`` is a unit and a feature. ``selecting``: the correlation of the unit's activation with the
    feature in windows of the first two thirds of the text's probe part, all steps together; ``rank``: its place by the
    size of that, 1 the best of all state variables and layers; ``score``: the correlation in the last third.
    ``chance``: what the best of so many units scores by luck, the 95 % quantile of its score where each window is given
    the features of another one, for every shift of the windows. A unit that is constant has no correlation (nan).

    ``text_activations`` has the activations along one passage of the last third: a row a character, for the ``best``
    units of each feature and for ``units``, each with the feature that it follows best. The passage is of the window
    there in which the feature varies most, or of the median one for ``line``.
    """

    name: ClassVar[str] = "text_units"
    of_network: ClassVar[bool] = True
    columns: ClassVar[dict[str, str]] = _UNIT | {
        "selecting": "DOUBLE",
        "rank": "BIGINT",
        "score": "DOUBLE",
        "chance": "DOUBLE",
    }
    activations: ClassVar[dict[str, str]] = _UNIT | {
        "t": "BIGINT",
        "character": "VARCHAR",
        "level": "DOUBLE",
        "value": "DOUBLE",
    }

    per_decade: int = option(0, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(32, "windows of each third of the text's probe part", ge=2)
    window: int = option(500, "characters of a window", ge=2)
    passage: int = option(400, "characters whose activations are kept", ge=1)
    best: int = option(1, "units of each feature whose activations are kept: those that follow it best", ge=0)
    units: str | None = option(None, "further ones to keep, as LAYER.VARIABLE.UNIT with blanks between: '1.h.3 1.c.17'")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.passage > self.window:
            raise OptionError("passage", f"must be <= window, {self.window}, got {self.passage}")
        self._wanted()

    def _wanted(self) -> list[Unit]:
        """Return the units asked for."""
        found = []
        for text in (self.units or "").split():
            if (parts := re.fullmatch(r"(\d+)\.(\w+)\.(\d+)", text)) is None:
                raise OptionError("units", f"must be like 1.h.3 (layer, state variable, unit), got {text!r}")
            found.append(Unit(int(parts[1]), parts[2], int(parts[3])))
        return found

    def check(self, task: Task) -> None:
        if not isinstance(task, Text):
            raise OptionError("window", f"measures quotes, brackets and lines; task {task.name} has none: task=text")
        try:
            replace(task, gap=self.window)
        except OptionError as error:
            raise OptionError("window", error.message) from error
        if not has_features(task):
            raise OptionError("window", "needs quotes, brackets or ends of lines, the text's probe part has none")

    def check_cell(self, cell: Cell) -> None:
        stepped, layers = one_layer(cell).stepped, cell.layers
        sizes = dict(zip(stepped.measured_names, stepped.measured_sizes, strict=True))
        for layer, variable, unit in self._wanted():
            if not (1 <= layer <= layers and unit < sizes.get(variable, 0)):
                last = f"unit of {', '.join(f'{name} to {size - 1}' for name, size in sizes.items())}"
                raise OptionError("units", f"must be layer 1 to {layers}, {last}; got {layer}.{variable}.{unit}")

    def measure(self, subject: Subject) -> list[Columns]:
        return [tables[self.name] for tables in self.tables_of(subject)]

    @classmethod
    def tables(cls) -> dict[str, dict[str, str]]:
        return {cls.name: cls.columns, "text_activations": cls.activations}

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        self.check(subject.task)
        return [self._tables(run) for run in one_by_one(subject)]

    def _tables(self, subject: Subject) -> dict[str, Columns]:
        assert isinstance(subject.task, Text)
        subject = replace(subject, task=replace(subject.task, gap=self.window))
        *first, last = (windows_of(subject, self.samples, number) for number in range(PROBED))
        selecting, units = together(first), units_of(subject.cell)
        found = {feature: following(selecting, last, feature) for feature in FEATURES}
        # A feature that no window has, or that no unit can follow since all are constant, is left out.
        found = {name: of for name, of in found.items() if np.isfinite(of.selecting).any()}
        kept = [(name, unit) for name, of in found.items() for unit in of.best(self.best)]
        for unit in (units.index(wanted) for wanted in self._wanted() if found):
            kept.append((max(found, key=lambda name: np.nan_to_num(abs(found[name].selecting[unit]))), unit))
        scores = [_labelled(units, name, of._asdict()) for name, of in found.items()]
        along = [self._along(last, name, units, unit) for name, unit in dict.fromkeys(kept)]
        return {
            self.name: _one_below_another(scores, self.columns),
            "text_activations": _one_below_another(along, self.activations),
        }

    def _along(self, windows: Windows, feature: str, units: Sequence[Unit], unit: int) -> dict[str, Any]:
        """Return the rows of one unit along its passage."""
        window, span = passage(windows, feature, self.passage)
        levels, known = windows.features[feature]
        steps = np.arange(self.window)[span]
        values = {
            "t": steps,
            "character": windows.characters[span, window],
            "level": np.where(known, levels, np.nan)[span, window],
            "value": windows.values[span, window, unit],
        }
        return _labelled([units[unit]] * len(steps), feature, values)


def following(selecting: Windows, scoring: Windows, feature: str) -> Following:
    """Return how well each unit follows a feature, by the windows that select units and by those that score them."""
    by_shift, scores = (correlations(seen.values, *seen.features[feature]) for seen in (selecting, scoring))
    return Following(by_shift[0], ranks(by_shift[0]), scores[0], chance_of(by_shift, scores))


def _labelled(units: Sequence[Unit], feature: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return columns with those before them that say which unit and feature a row is of."""
    labels = dict(zip(Unit._fields, zip(*units, strict=True), strict=True))
    return labels | {"feature": [feature] * len(units)} | values


def _one_below_another(tables: Sequence[dict[str, Any]], kinds: dict[str, str]) -> Columns:
    """Return tables as one; a column that is a single number has it in every row."""
    columns = {}
    for name, kind in kinds.items():
        parts = [np.broadcast_to(np.array(table[name], dtype=DTYPES[kind]), len(table["unit"])) for table in tables]
        columns[name] = np.concatenate([np.empty(0, dtype=DTYPES[kind]), *parts])
    return columns
