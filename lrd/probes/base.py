"""The protocol of probes: a probe measures the runs of a pack at one moment and gives a table of numbers for each run.

A probe is a frozen dataclass of its options. It gets a ``Subject`` and never changes it: parameters, optimiser state
and later training stay bitwise what they were. A table is a dict of equally long columns, one row a (time step, ...);
what the rows mean stands in the docstring of the probe, their SQL types in ``columns``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from lrd.cells import Cell, Parameters, prepared
from lrd.options import check_options, option
from lrd.probes.arrays import as_arrays
from lrd.scalars import SCALARS, Columns
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task


@dataclass(frozen=True)
class Subject:
    """The runs of a pack at one moment: ``params`` [runs, ...] of cell and readout; ``seeds`` name their data.

    ``cell`` is the one that does the steps, and ``params`` what it gets: ``Subject.of`` takes those that are trained.
    """

    task: Task
    cell: Cell
    params: Parameters
    seeds: Int[Tensor, "runs"]

    @classmethod
    def of(cls, task: Task, cell: Cell, params: Parameters, seeds: Int[Tensor, "runs"]) -> Subject:
        """Return the subject of trained parameters; what ``Cell.prepare`` makes of them is in float64."""
        params = {name: value.detach() for name, value in params.items()}
        return cls(task, cell.stepped, prepared(cell, params, torch.float64), seeds)

    def sequences(self, samples: int, number: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
        """Return probe sequences, the same at every measurement; those of another ``number`` are drawn apart."""
        batch = self.task.batch(self.seeds, "probe", number, samples)
        targets = batch.targets.to(dtype) if batch.targets.is_floating_point() else batch.targets
        weights = None if batch.weights is None else batch.weights.to(dtype)
        return Batch(batch.inputs.to(dtype), targets, weights)

    def states(self, batch: Batch) -> dict[str, Float[Tensor, "time runs batch _"]]:
        """Return the cell's state after every step of some sequences, by state variable, in their precision."""
        from lrd.probes.states import along  # which imports this module

        return along(self.cell, self.parameters(batch.inputs.dtype), batch.inputs)

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
    #: SQL type of each column (BIGINT, DOUBLE, VARCHAR, BOOLEAN), without ``update``, which the record adds
    columns: ClassVar[dict[str, str]]

    per_decade: int = option(3, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(32, "sequences of the probe batch", ge=1)

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def measure(self, subject: Subject) -> list[dict[str, Any]]:
        """Measure the runs of a pack.

        Args:
            subject: the runs, which are not changed.

        Returns:
            A table for each run, in the pack's order, which does not depend on its companions: the columns that
            ``columns`` declares, equally long; tensors (on any device), arrays or lists.
        """

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        """Return all tables of each run by name; by default there is one, which ``measure`` gives."""
        return [{self.name: as_arrays(table, self.columns)} for table in self.measure(subject)]

    @classmethod
    def tables(cls) -> dict[str, dict[str, str]]:
        """Return the columns of each table of ``tables_of``."""
        return {cls.name: cls.columns}

    def scalars(self, tables: dict[str, Columns]) -> dict[str, float]:
        """Return single numbers of one run's measurement, by name: watched in training, and kept in the summary.

        Args:
            tables: the run's tables of one measurement, by name, their columns as arrays.
        """
        kept = SCALARS.get(self.name)
        return {} if kept is None else kept.of(tables)

    def check(self, task: Task) -> None:  # noqa: B027 -- most options fit any task
        """Raise ``OptionError`` for an option that does not fit a task."""

    def check_cell(self, cell: Cell) -> None:  # noqa: B027 -- most fit any cell
        """Raise ``OptionError`` for an option that does not fit a cell."""
