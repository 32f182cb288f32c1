"""Options of the tests at the end of a run beside its own test set: at other gaps than the one of its training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lrd.cells import Cell
from lrd.options import OptionError, check_options, option
from lrd.probes import GradientFlow, Probe
from lrd.tasks import Task


@dataclass(frozen=True)
class Evaluation:
    """Options of the tests at the end of a run."""

    gaps: tuple[int, ...] = option(
        (),
        "gaps at which a run is tested at its end, below and above the one that it was trained at (table "
        "generalisation); none: only at its own",
        switch=True,
    )
    gradient_flow: bool = option(
        False,
        "measure the gradient flow at these gaps, too (tables generalisation_flow and generalisation_fit)",
        switch=True,
    )

    def __post_init__(self) -> None:
        # In order and each once, so that one set of gaps makes one run.
        object.__setattr__(self, "gaps", tuple(sorted(set(self.gaps))))
        check_options(self)
        if self.gradient_flow and not self.gaps:
            raise OptionError("gradient_flow", "is measured at the gaps of evaluation.gaps, of which there are none")

    def check(self, task: Task, cell: Cell, probes: Sequence[Probe]) -> None:
        """Check the gaps against a run.

        Args:
            task: the task at the gap of training.
            cell: the cell as it is for the length of that task's sequences.
            probes: of the run.

        Raises:
            OptionError: a gap at which the trained network cannot be tested.
        """
        for gap in self.gaps:
            there = task_at(task, gap)
            other = cell_at(cell, task, there)
            if other != cell and _shapes(other, task) != _shapes(cell, task):
                of = f"has parameters of other shapes for sequences of {there.sequence_length} steps"
                raise OptionError("gaps", f"holds {gap}, but cell={cell.name} {of}; leave it out")
            if self.gradient_flow:
                try:
                    flow_probe(probes).check(there)
                except OptionError as error:
                    said = f"cannot be measured at gap {gap}: probe.gradient_flow.{error.key} {error.message}"
                    raise OptionError("gradient_flow", said) from None


def task_at(task: Task, gap: int) -> Task:
    """Return a task at another gap.

    Raises:
        OptionError: the task has no such gap, or there other inputs or outputs than the network was trained with.
    """
    try:
        there = dataclasses.replace(task, gap=gap)
    except OptionError as error:
        raise OptionError("gaps", f"holds {gap}, but task.{error.key} {error.message}") from None
    except (TypeError, ValueError) as error:  # of a researcher's own class
        raise OptionError("gaps", f"holds {gap}, at which task={task.name} cannot be made: {error}") from None
    sizes = [(there.input_size, task.input_size, "inputs"), (there.output_size, task.output_size, "outputs")]
    for size, trained, name in sizes:
        if size != trained:
            said = f"task={task.name} has {size} {name} there and {trained} at gap {task.gap}, where it is trained"
            raise OptionError("gaps", f"holds {gap}, but {said}; leave it out")
    return there


def cell_at(cell: Cell, trained: Task, tested: Task) -> Cell:
    """Return a cell as it is for the length of another task's sequences, with the same parameters.

    An option whose default is null and that ``Cell.for_length`` has set, such as the attentive cell's ``memory``, is
    set anew for the other length. Records do not tell it from one that was given with the same value.

    Args:
        cell: the cell as it is for the length of the sequences that it is trained on.
        trained: the task that it is trained on.
        tested: the task that it is tested on.
    """
    for field in dataclasses.fields(cell):
        if field.default is None and getattr(cell, field.name) is not None:
            free = dataclasses.replace(cell, **{field.name: None})  # type: ignore[arg-type]
            if free.for_length(trained.sequence_length) == cell:
                cell = free.for_length(tested.sequence_length)
    return cell


def flow_probe(probes: Sequence[Probe]) -> GradientFlow:
    """Return the probe that measures the gradient flow at tested gaps: the run's own, or else one with defaults."""
    return next((probe for probe in probes if isinstance(probe, GradientFlow)), GradientFlow())


def _shapes(cell: Cell, task: Task) -> dict[str, torch.Size]:
    """Return the shape of each parameter of a cell."""
    drawn = cell.parameters(task.input_size, torch.Generator().manual_seed(0))
    return {name: parameter.shape for name, parameter in drawn.items()}
