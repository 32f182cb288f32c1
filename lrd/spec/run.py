"""A run: everything that decides what it computes, and the hash that names it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from lrd.cells import Cell
from lrd.custom import source_of
from lrd.options import check_options, option
from lrd.probes import Probe
from lrd.spec.evaluation import Evaluation, cell_at, task_at
from lrd.spec.optimizers import Optimizer
from lrd.spec.training import Training
from lrd.tasks import Task


@dataclass(frozen=True)
class Seed:
    """The option ``seed``, which names a run's random numbers."""

    seed: int = option(0, "names the run's data and initial weights", ge=0, lt=2**31)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides what a run computes. Its hash is part of the run's name, ``run_id``."""

    task: Task
    cell: Cell
    optimizer: Optimizer
    training: Training
    probes: tuple[Probe, ...]
    seed: int
    evaluation: Evaluation = field(default_factory=Evaluation)

    def to_dict(self) -> dict[str, Any]:
        """Return the resolved configuration as nested plain values, as run.json keeps it under ``spec``."""
        return {
            "task": _named(self.task) | _origin(self.task),
            "cell": _named(self.cell) | _origin(self.cell),
            "optimizer": _named(self.optimizer),
            "training": dataclasses.asdict(self.training),
            "evaluation": dataclasses.asdict(self.evaluation) | {"gaps": list(self.evaluation.gaps)},
            "probe": {probe.name: dataclasses.asdict(probe) | _origin(probe) for probe in self.probes},
            "seed": self.seed,
        }

    @property
    def sources(self) -> dict[str, str]:
        """The texts of classes that come from a researcher's file, by ``task``, ``cell`` or ``probe.NAME``."""
        classes = {"task": self.task, "cell": self.cell} | {f"probe.{probe.name}": probe for probe in self.probes}
        found = {key: source_of(type(options)) for key, options in classes.items()}
        return {key: source.text for key, source in found.items() if source is not None and source.in_file}

    def __reduce__(self) -> tuple[Any, ...]:
        # As plain values and text: another process cannot import a class that came out of a file.
        from lrd.spec.job import run_from_dict

        return run_from_dict, (self.to_dict(), self.sources)

    @cached_property
    def run_id(self) -> str:
        """Name of the run, ``lstm-copy-T100-s3-<hash>``: the hash tells runs apart, the rest is for the eye."""
        identity = self._fields_with("identity") | {"seed": self.seed}
        for group, off in self._switches(on=False):
            identity[group].pop(off, None)
        if not identity["evaluation"]:  # runs recorded before there was this group keep their names
            del identity["evaluation"]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.cell.name}-{self.task.name}-T{self.task.gap}-s{self.seed}-{digest}"

    @property
    def asides(self) -> dict[str, dict[str, Any]]:
        """The options by group that change nothing in the results and are no part of the name, such as a label."""
        found: dict[str, dict[str, Any]] = {}
        for group in _GROUPS:
            options = getattr(self, group)
            names = _marked(type(options), "identity", False)  # type: ignore[arg-type]
            found[group] = {name: getattr(options, name) for name in names}
        return found

    @cached_property
    def pack_key(self) -> str:
        """Text that is equal for runs that can train in one pack."""
        static = self._fields_with("per_run", False) | {"on": self._switches(on=True)}
        return json.dumps(static, sort_keys=True)

    @cached_property
    def tested(self) -> tuple[RunSpec, ...]:
        """The run as it is at each gap of ``evaluation.gaps`` and at its own, in ascending order; () without these."""
        gaps = sorted({*self.evaluation.gaps, self.task.gap}) if self.evaluation.gaps else []
        tasks = [self.task if gap == self.task.gap else task_at(self.task, gap) for gap in gaps]
        cells = [cell_at(self.cell, self.task, task) for task in tasks]
        there = zip(tasks, cells, strict=True)
        return tuple(dataclasses.replace(self, task=t, cell=c, evaluation=Evaluation()) for t, c in there)

    def _fields_with(self, mark: str, value: bool = True) -> dict[str, Any]:
        """Return the options of all groups whose metadata has ``mark`` at ``value``."""
        groups = {group: _chosen(getattr(self, group), mark, value) for group in _GROUPS}
        return groups | {"probe": [_chosen(probe, mark, value) | _class_of(probe) for probe in self.probes]}

    def _switches(self, on: bool) -> list[tuple[str, str]]:
        """Return group and name of the options that are switches and are on, or off."""
        found = []
        for group in _GROUPS:
            options = getattr(self, group)
            for name in _marked(type(options), "switch", True):  # type: ignore[arg-type]
                off = options.__dataclass_fields__[name].metadata["named_as_default"]
                if (getattr(options, name) not in off) == on:
                    found.append((group, name))
        return found


_GROUPS = ("task", "cell", "optimizer", "training", "evaluation")


def _chosen(options: Any, mark: str, value: bool) -> dict[str, Any]:
    """Return the options whose metadata has ``mark`` at ``value``, with the name and text of their class."""
    keys = _marked(type(options), mark, value)  # type: ignore[arg-type]
    chosen = {key: getattr(options, key) for key in keys}
    name = getattr(options, "name", None)
    source = source_of(type(options))
    code = {} if source is None else {"code": source.code}
    return chosen if name is None else {"name": name} | code | chosen


def _class_of(probe: Probe) -> dict[str, Any]:
    """Return the name of a class that is not lrd's own: one text may hold several probes of one name."""
    return {} if source_of(type(probe)) is None else {"class": type(probe).__name__}


@cache
def _marked(kind: Callable[..., Any], mark: str, value: bool) -> tuple[str, ...]:
    """Return the names of the options of a kind whose metadata has ``mark`` at ``value``."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.metadata[mark] == value)  # type: ignore[arg-type]


def _named(value: Any) -> dict[str, Any]:
    return {"name": value.name, **dataclasses.asdict(value)}


def _origin(value: Any) -> dict[str, Any]:
    """Return file and digest of a class in a researcher's file; {} for any other class."""
    source = source_of(type(value))
    if source is None:
        return {}
    return {"path": source.path, "code": source.code} if source.in_file else {}
