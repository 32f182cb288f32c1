"""Every task in every convention, for the tests of what holds for all of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lrd.tasks import TASKS, Task

GAP = 22  # the least that every kind allows


@dataclass(frozen=True)
class Kind:
    """A task and the options that make it what it is."""

    name: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return "-".join([self.name, *map(str, self.options.values())])

    def of_gap(self, gap: int) -> Task:
        return TASKS[self.name](gap=gap, **self.options)

    @property
    def is_certain(self) -> bool:
        return (self.name, self.options.get("convention")) not in UNCERTAIN


#: Options that make another task of one convention.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "variable_copy": [{"least_blanks": 1}],
    "temporal_order": [{"convention": "hochreiter1997", "ordered": 3}],
    "counting": [{"convention": "anbn", "least": 8}],
    "spike_delays": [{"spread": 4}, {"offsets": "ends", "spread": 3}, {"intervals": 1}],
}
#: Kinds whose targets cannot all be known, whatever is remembered.
UNCERTAIN = {("reber", None), ("continual_reber", None), ("two_sequence", "noisy_targets")}


def _kinds(name: str) -> list[Kind]:
    fields = {field.name: field for field in dataclasses.fields(TASKS[name])}
    if "convention" not in fields:
        return [Kind(name, {})]
    return [Kind(name, {"convention": convention}) for convention in fields["convention"].metadata["choices"]]


KINDS = [kind for name in TASKS for kind in [*_kinds(name), *(Kind(name, o) for o in VARIANTS.get(name, []))]]
