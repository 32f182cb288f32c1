"""What every cell offers: its parameters, their initialisation, and one step for one sample.

A cell is a frozen dataclass of its options and knows nothing of time, batches or packs: ``lrd.kernels`` runs it over
those. Parameters are a plain dict of tensors, so that a pack is the same dict with a leading ``runs`` axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.options import check_options, option
from lrd.shapes import Float, Tensor

Parameters = dict[str, Tensor]
State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Cell(ABC):
    """One recurrent unit. Subclasses are frozen dataclasses of ``lrd.options.option`` fields, all with defaults."""

    name: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]]  # the first one is what the readout sees
    #: The gate that multiplies a state variable on its way from the step before, by variable (LSTM: c by forget).
    keeps: ClassVar[Mapping[str, str]] = {}
    #: State variables that only count, such as a clock: steps compare them and calculate nothing from them. No probe
    #: looks at them, and Jacobians leave them out.
    bookkeeping: ClassVar[frozenset[str]] = frozenset()

    hidden_size: int = option(64, "units of the recurrent layer", ge=1)
    label: str | None = option(
        None, "name on figures and in tables; null: the cell's own", per_run=True, identity=False
    )

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Freshly initialised float32 parameters of one run, by name."""

    def prepare(self, p: Parameters) -> Parameters:
        """What ``step`` gets of one run instead of its trained parameters, computed once a sequence. Default: the same.

        Differentiable. ``p`` may hold more than the cell's own (the readout's), which is to be handed on.
        """
        return p

    @property
    def stepped(self) -> Cell:
        """The cell that does the steps with what ``prepare`` gives: one that has a fast kernel, or this. Default: this.

        Its state variables are this cell's.
        """
        return self

    def for_length(self, length: int) -> Cell:
        """The cell as it is for sequences of that many steps. Default: the same for all."""
        return self

    @abstractmethod
    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        """One step of one sample: the new state from the input x_t and the state before it."""

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        """The gates that this step of one sample uses [units], by name; arguments as in ``step``. Default: none."""
        return {}

    def own_readout(self, input_size: int, output_size: int, generator: torch.Generator) -> Parameters | None:
        """Freshly initialised float32 parameters of the readout, where the cell's paper has one of its own; else None.

        V [outputs, hidden]; V_bias [outputs] where it has biases; V_inputs [outputs, inputs] where it sees x_t too.
        """
        return None

    def state_sizes(self) -> tuple[int, ...]:
        """Entries of each state variable, in the order of ``state_names``."""
        return (self.hidden_size,) * len(self.state_names)

    @property
    def measured(self) -> tuple[int, ...]:
        """The numbers of the state variables that are not ``bookkeeping``."""
        return tuple(v for v, name in enumerate(self.state_names) if name not in self.bookkeeping)

    @property
    def measured_names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.state_names[v] for v in self.measured)

    @property
    def measured_sizes(self) -> tuple[int, ...]:
        """Their entries."""
        sizes = self.state_sizes()
        return tuple(sizes[v] for v in self.measured)


def prepared(cell: Cell, params: Parameters, dtype: torch.dtype | None = None) -> Parameters:
    """What ``cell.stepped`` gets, for the runs of a pack: ``cell.prepare`` of each, [runs, ...].

    ``dtype``: the precision that it is computed and given in, where there is anything to compute; None: that of
    ``params``.
    """
    if type(cell).prepare is Cell.prepare:
        return params
    runs = len(next(iter(params.values())))
    # Run by run: how a batch of matrices is decomposed may depend on which others are in it.
    each = [cell.prepare({name: p[run].to(dtype) for name, p in params.items()}) for run in range(runs)]
    return {name: torch.stack([p[name] for p in each]) for name in each[0]}
