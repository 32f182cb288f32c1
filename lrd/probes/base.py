"""The protocol of probes: a probe measures the runs of a pack at one moment and gives a table of numbers for each run.

A probe is a frozen dataclass of its options. It gets a ``Subject`` and never changes it: parameters, optimiser state
and later training stay bitwise what they were. A table is a dict of equally long columns, one row a (time step, ...);
what the rows mean stands in the docstring of the probe, their SQL types in ``columns``.

A network of several layers is measured part by part (``lrd.cells.network``): each part is a cell alone that reads the h
of the layer below, and its rows have ``layer`` and ``direction``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from lrd.cells import FIRST, Cell, Parameters, Part, one_layer, parameters_of, parts_of, prepared
from lrd.gradients.schema import PART_COLUMNS
from lrd.kernels.layers import in_reading_order, through
from lrd.options import check_options, option
from lrd.probes.arrays import as_arrays
from lrd.scalars import SCALARS, Columns
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task


@dataclass(frozen=True)
class Subject:
    """The runs of a pack at one moment: one part of their networks, or the whole of these.

    Attributes:
        task: The task of the runs.
        cell: The cell that does the steps. Of the whole of a network of several parts, the cell that is trained.
        params: What its steps get, and the readout, [runs, ...] by name: ``Subject.of`` takes those that are trained.
        seeds: The seeds of the runs, which name their data.
        part: Which part of the networks this is.
        whole: The whole networks, where this is one of their parts; None: this is the whole.
    """

    task: Task
    cell: Cell
    params: Parameters
    seeds: Int[Tensor, "runs"]
    part: Part = FIRST
    whole: Subject | None = None

    @classmethod
    def of(cls, task: Task, cell: Cell, params: Parameters, seeds: Int[Tensor, "runs"]) -> Subject:
        """Return the subject of trained parameters; what ``Cell.prepare`` makes of them is in float64."""
        params = {name: value.detach() for name, value in params.items()}
        stepped = cell.stepped if len(parts_of(cell)) == 1 else cell
        return cls(task, stepped, prepared(cell, params, torch.float64), seeds)

    def parts(self) -> list[Subject]:
        """Return the parts of the networks, each as a cell alone: this very subject where they have but one."""
        parts = parts_of(self.cell)
        if len(parts) == 1:
            return [self]
        stepped = one_layer(self.cell).stepped
        return [
            replace(self, cell=stepped, params=parameters_of(part, self.params), part=part, whole=self)
            for part in parts
        ]

    def of_runs(self, runs: slice) -> Subject:
        """Return some of the runs."""
        params = {name: value[runs] for name, value in self.params.items()}
        whole = None if self.whole is None else self.whole.of_runs(runs)
        return replace(self, params=params, seeds=self.seeds[runs], whole=whole)

    @property
    def network(self) -> Subject:
        """The whole networks: those of which this is a part, or this very subject."""
        return self if self.whole is None else self.whole

    def driven(self, inputs: Float[Tensor, "time runs batch inputs"]) -> Float[Tensor, "time runs batch _"]:
        """Return what this part reads at each step, in the order in which it reads.

        In layer 1 it is the task's inputs, else the h of the layer below; a part that reads backward has the last step
        first. Whoever steps a cell gives it this, and not the inputs themselves.

        Args:
            inputs: x_t of the task, at every step.
        """
        return in_reading_order(self.part, inputs if self.whole is None else self.whole.below(self.part, inputs))

    def below(self, part: Part, inputs: Float[Tensor, "time runs batch inputs"]) -> Float[Tensor, "time runs batch _"]:
        """Return what a part of these networks reads, in the order of time."""
        if part.layer == 1:
            return inputs
        return replace(self, cell=replace(self.cell, layers=part.layer - 1, dropout=0.0)).h(inputs)

    @torch.no_grad()
    def h(self, inputs: Float[Tensor, "time runs batch inputs"]) -> Float[Tensor, "time runs batch features"]:
        """Return what the readout sees after every step: h of the last layer, both directions side by side.

        Of a part it is that of the networks to which it belongs.
        """
        from lrd.probes.states import unroll  # which imports this module

        if self.whole is not None:
            return self.whole.h(inputs)
        parts = {subject.part: subject for subject in self.parts()}

        def run_part(part: Part, x: Tensor) -> Tensor:
            mine = parts[part]
            h = torch.stack([state[0] for state in unroll(mine.cell, mine.parameters(x.dtype), x)])
            return in_reading_order(part, h)

        return through(self.cell, inputs, run_part)

    def sequences(self, samples: int, number: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
        """Return probe sequences, the same at every measurement; those of another ``number`` are drawn apart."""
        batch = self.task.batch(self.seeds, "probe", number, samples)
        targets = batch.targets.to(dtype) if batch.targets.is_floating_point() else batch.targets
        weights = None if batch.weights is None else batch.weights.to(dtype)
        return Batch(batch.inputs.to(dtype), targets, weights)

    def states(self, batch: Batch) -> dict[str, Float[Tensor, "time runs batch _"]]:
        """Return the part's state at every step of some sequences, by state variable, in their precision.

        Rows are in the order of time, in whichever direction the part reads: row t is the state after reading x_t.

        Raises:
            ValueError: This is the whole of a network of several parts.
        """
        from lrd.probes.states import along  # which imports this module

        if len(parts_of(self.cell)) > 1:
            raise ValueError("a network has the states of its parts, subject.parts(); its readout sees subject.h")
        found = along(self.cell, self.parameters(batch.inputs.dtype), self.driven(batch.inputs))
        return {name: in_reading_order(self.part, states) for name, states in found.items()}

    def parameters(self, dtype: torch.dtype = torch.float64) -> Parameters:
        """Return ``params`` in the precision ``dtype``."""
        return {name: value.detach().to(dtype) for name, value in self.params.items()}


@dataclass(frozen=True)
class Probe(ABC):
    """One kind of measurement: a frozen dataclass of ``lrd.options.option`` fields, all with defaults.

    A subclass has to have ``name``, ``columns`` and ``measure``. ``docs/examples/my_probe.py`` is a whole one, and
    ``lrd check my_probe.py:Dimension`` holds one to what is written here.
    """

    #: what the probe is called in configurations, and its table in records
    name: ClassVar[str]
    #: SQL type of each column (BIGINT, DOUBLE, VARCHAR, BOOLEAN), without ``layer``, ``direction`` and ``update``,
    #: which are added to it
    columns: ClassVar[dict[str, str]]
    #: whether it measures the network as a whole, such as what it answers: ``measure`` then gets that once, and the
    #: table has no ``layer`` and ``direction``
    of_network: ClassVar[bool] = False

    per_decade: int = option(3, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(32, "sequences of the probe batch", ge=1)

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def measure(self, subject: Subject) -> list[dict[str, Any]]:
        """Measure one part of the networks of a pack (``of_network``: the whole).

        Args:
            subject: the runs, which are not changed. ``subject.states`` gives the states of the part; its cell reads
                ``subject.driven(batch.inputs)``, which in the first layer is the inputs themselves.

        Returns:
            A table for each run, in the pack's order, which does not depend on its companions: the columns that
            ``columns`` declares, equally long; tensors (on any device), arrays or lists.
        """

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        """Return all tables of each run by name; by default there is one, of what ``measure`` gives for each part."""

        def of_part(part: Subject) -> list[dict[str, Columns]]:
            return [{self.name: as_arrays(table, self.columns)} for table in self.measure(part)]

        return of_part(subject) if self.of_network else by_part(subject, of_part)

    @classmethod
    def tables(cls) -> dict[str, dict[str, str]]:
        """Return the columns of each table of ``tables_of``."""
        return {cls.name: cls.columns if cls.of_network else {**PART_COLUMNS, **cls.columns}}

    def scalars(self, tables: dict[str, Columns]) -> dict[str, float]:
        """Return single numbers of one run's measurement, by name: watched in training, and kept in the summary.

        Of a network they are those of its last layer, forward.

        Args:
            tables: the run's tables of one measurement, by name, their columns as arrays.
        """
        kept = SCALARS.get(self.name)
        return {} if kept is None else kept.of(tables)

    def check(self, task: Task) -> None:  # noqa: B027 -- most options fit any task
        """Raise ``OptionError`` for an option that does not fit a task."""

    def check_cell(self, cell: Cell) -> None:  # noqa: B027 -- most fit any cell
        """Raise ``OptionError`` for an option that does not fit a cell."""


def by_part(subject: Subject, measure: Callable[[Subject], list[dict[str, Columns]]]) -> list[dict[str, Columns]]:
    """Return the tables of each run by name, from those of each part of its network, with ``PART_COLUMNS``.

    Args:
        subject: the whole networks.
        measure: gives the tables of each run for one part.
    """
    return joined({part.part: measure(part) for part in subject.parts()})


def joined(by_part: dict[Part, list[dict[str, Columns]]]) -> list[dict[str, Columns]]:
    """Return the tables of each run by name, from those of each of its parts, with ``PART_COLUMNS`` in front."""
    found: list[dict[str, Columns]] = []
    for of_parts in zip(*by_part.values(), strict=True):
        tables: dict[str, list[Columns]] = {}
        for part, of_run in zip(by_part, of_parts, strict=True):
            for name, columns in of_run.items():
                tables.setdefault(name, []).append(placed_columns(part, columns))
        found.append(
            {
                name: {column: np.concatenate([p[column] for p in pieces]) for column in pieces[0]}
                for name, pieces in tables.items()
            }
        )
    return found


def placed_columns(part: Part, columns: Columns) -> Columns:
    """Return the columns of a table with those that say of which part of a network its rows are."""
    size = len(next(iter(columns.values()), ()))
    place = {"layer": np.full(size, part.layer), "direction": np.full(size, part.direction, dtype=object)}
    return {**place, **columns}
