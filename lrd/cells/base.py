"""The cell protocol: a cell's options, its parameters and their initialisation, and one step for one sample.

A cell knows nothing of time, batches or packs: ``lrd.kernels`` runs it over those. Parameters are a plain dict of
tensors, so that those of a pack are the same dict with a leading ``runs`` axis.

A cell has to give ``name``, ``state_names``, ``parameters`` and ``step``; all else has a default. A leaky unit, whole:

    @dataclass(frozen=True)
    class Leaky(Cell):
        name = "leaky"
        state_names = ("h",)
        leak: float = option(0.1, "share of h that a step replaces", gt=0, le=1)

        def parameters(self, input_size, generator):
            n = self.hidden_size
            w = torch.randn(n, n, generator=generator) / n**0.5
            u = torch.randn(n, input_size, generator=generator) / n**0.5
            return {"U": u, "W": w, "b": torch.zeros(n)}

        def step(self, p, x, state):
            (h,) = state
            new = torch.tanh(p["U"] @ x + p["W"] @ h + p["b"])
            return ((1 - self.leak) * h + self.leak * new,)

``lrd check FILE.py:CLASS`` holds a cell of your own to this protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.options import OptionError, check_options, option
from lrd.shapes import Float, Tensor

#: Parameters by name: of one run as a cell sees them, or of all runs of a pack, with a leading ``runs`` axis.
Parameters = dict[str, Tensor]
#: State variables in the order of ``Cell.state_names``: of one sample as a cell sees them, or [runs, batch, size].
State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Cell(ABC):
    """One recurrent layer, and how many of it a network has (``lrd.cells.network``).

    Subclasses are frozen dataclasses. Their fields are made by ``lrd.options.option``, have defaults, and become
    options of the command line and part of what names a run. Runs that differ only in options marked ``per_run`` are
    trained in one pack with one ``step``: so only ``parameters`` may read these.
    """

    #: The cell's name in records and on figures; that of lrd's own cells also on the command line.
    name: ClassVar[str]
    #: The names of the state variables. The first is what the readout sees. By these names gradients are recorded.
    state_names: ClassVar[tuple[str, ...]]
    #: By state variable, the name of the gate that multiplies its value of the step before (LSTM: c by ``forget``).
    keeps: ClassVar[Mapping[str, str]] = {}
    #: Options that choose between formulas of ``step``: a compiled kernel is checked anew for other values of them.
    step_options: ClassVar[tuple[str, ...]] = ()
    #: State variables that only count, such as a clock: steps compare them and calculate nothing from them. No probe
    #: measures them, and Jacobians leave them out.
    bookkeeping: ClassVar[frozenset[str]] = frozenset()

    hidden_size: int = option(64, "units of the recurrent layer", ge=1)
    label: str | None = option(
        None, "name on figures and in tables; null: the cell's own", per_run=True, identity=False
    )
    layers: int = option(1, "recurrent layers, each of which reads the h of the layer below", ge=1, switch=True)
    dropout: float = option(
        0.0,
        "share of the h that go from layer to layer that training sets to 0 (Zaremba et al. 2014); needs layers",
        ge=0,
        lt=1,
        per_run=True,
        switch=True,
    )
    bidirectional: bool = option(
        False, "whether each layer has a second cell that reads the sequence from its end", switch=True
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.dropout and self.layers == 1:
            raise OptionError("dropout", f"acts between layers, got {self.dropout} with one; set cell.layers=2 or more")

    @abstractmethod
    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw the initial parameters of one run.

        Args:
            input_size: The number of inputs x_t of a step.
            generator: The run's own source of random numbers. Draw from nothing else: a run is a function of its seed.

        Returns:
            Float32 tensors on the CPU, by name, all of which are trained. By convention U multiplies x_t, W multiplies
            h_{t-1}, and b is the bias. V, V_bias and V_inputs are names of the readout.
        """

    def prepare(self, p: Parameters) -> Parameters:
        """Return what ``step`` gets instead of the trained parameters, computed once a sequence. Default: the same.

        For a matrix that is itself a function of what is trained, such as a rotation made from a skew-symmetric one.

        Args:
            p: Trained parameters of one run. They may hold more than the cell's own, such as the readout's, which is
                to be handed on.

        Returns:
            Parameters by name, through which gradients reach ``p``.
        """
        return p

    @property
    def stepped(self) -> Cell:
        """The cell that does the steps with what ``prepare`` gives, where another one can. Default: this cell.

        A cell whose steps are those of another one names it here and has its fast kernel; the state variables of both
        must be the same.
        """
        return self

    def for_length(self, length: int) -> Cell:
        """Return the cell as it is for sequences of ``length`` steps. Default: the same for all lengths.

        For a cell whose state depends on the length, such as one that keeps all its past states.
        """
        return self

    @abstractmethod
    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        """Return the state of one sample after one step. A sequence begins with a state of zeros.

        The function is called through ``torch.func.vmap``, for all samples and runs of a pack at once, and it is
        differentiated. So it is a function of its arguments alone, made of torch's operations: no ``if`` on the values
        of a tensor, no ``item()``, no random numbers, nothing written into an argument. A tensor that it makes must
        have dtype and device of its arguments (``x.new_zeros(n)``).

        Args:
            p: What ``prepare`` gives for the run of this sample.
            x: The input x_t.
            state: The state variables before the step, in the order of ``state_names``: vectors of ``state_sizes()``.

        Returns:
            The state variables after the step, in the same order and of the same shapes.
        """

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        """Return the gates that a step of one sample uses. Default: none.

        The probe ``gates`` records them; what ``keeps`` names must be among them.

        Args:
            p: What ``prepare`` gives for the run of this sample.
            x: The input x_t.
            state: The state variables before the step.

        Returns:
            The values of each gate, a vector, by name.
        """
        return {}

    def own_readout(self, input_size: int, output_size: int, generator: torch.Generator) -> Parameters | None:
        """Draw the initial parameters of the readout where the cell's paper has one of its own. Default: None.

        Args:
            input_size: The number of inputs x_t of a step.
            output_size: The number of outputs of a step.
            generator: The run's own source of random numbers.

        Returns:
            Float32 tensors by name: V [outputs, hidden]; V_bias [outputs] where it has biases; V_inputs
            [outputs, inputs] where it sees x_t too. None: the readout that all other cells have.
        """
        return None

    def state_sizes(self) -> tuple[int, ...]:
        """Return the number of entries of each state variable, in the order of ``state_names``.

        Default: ``hidden_size`` for each. The first must be that, for the readout sees it.
        """
        return (self.hidden_size,) * len(self.state_names)

    @property
    def measured(self) -> tuple[int, ...]:
        """The places, in ``state_names``, of the state variables that probes measure: all but ``bookkeeping``."""
        return tuple(v for v, name in enumerate(self.state_names) if name not in self.bookkeeping)

    @property
    def measured_names(self) -> tuple[str, ...]:
        """The names of the state variables that probes measure."""
        return tuple(self.state_names[v] for v in self.measured)

    @property
    def measured_sizes(self) -> tuple[int, ...]:
        """The number of entries of each state variable that probes measure."""
        sizes = self.state_sizes()
        return tuple(sizes[v] for v in self.measured)
