"""Options of training: how long, on how much, on which gaps, and the tricks that change the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lrd.cells import GRU, LSTM, RNN, Cell, parts_of
from lrd.options import OptionError, check_options, option
from lrd.spec.curriculum import gaps
from lrd.tasks import Task
from lrd.tasks.streams import MAX_STEP

PRECISIONS = ("float32", "tf32", "bfloat16", "float64")
CURRICULA = ("none", "naive", "mixed", "combined")
#: Precisions that only a GPU's matrix units have.
ON_GPU = ("tf32", "bfloat16")
#: Values of options that are off.
_OFF = (0, False, None, "none")
#: Pairs of options that do not go together: the gradient of the training loss alone is part of what the others measure,
#: and training gradient norms are of the steps of one gap.
_APART = (
    ("norm_stabilizer", "omega"),
    ("norm_stabilizer", "gradient_norms"),
    ("curriculum", "gradient_norms"),
)
#: Options of some curricula alone, and which these are.
_OF_CURRICULA = {"curriculum_from": CURRICULA[1:], "curriculum_share": ("naive", "combined")}


@dataclass(frozen=True)
class Training:
    """Options of training: batches, length, evaluation, stopping, precision and tricks of the gradient."""

    batch_size: int = option(32, "sequences an update", ge=1)
    max_updates: int = option(2000, "updates after which a run ends unsolved", ge=1, lt=MAX_STEP)
    truncate: int | None = option(None, "steps after which the gradient is cut; null: full backpropagation", ge=1)
    omega: float = option(
        0.0,
        "weight of the regulariser Omega (Pascanu et al. 2013) of the vanilla RNN; 0: none",
        ge=0,
        per_run=True,
        switch=True,
    )
    h_detach: float = option(
        0.0,
        "probability of cutting the LSTM's backward pass through h at a step (Kanuparthi et al. 2019); 0: never",
        ge=0,
        le=1,
        per_run=True,
        switch=True,
    )
    norm_stabilizer: float = option(
        0.0,
        "weight of the penalty on changes of the norm of h from step to step (Krueger & Memisevic 2015); 0: none",
        ge=0,
        per_run=True,
        switch=True,
    )
    curriculum: str = option(
        "none", "gaps of the updates, up to task.gap (Zaremba & Sutskever 2014)", choices=CURRICULA, switch=True
    )
    curriculum_from: int | None = option(
        None, "smallest gap of a curriculum; null: the smallest that the task allows", ge=0, switch=True
    )
    curriculum_share: float = option(
        0.5, "share of max_updates over which the gap of naive and combined grows", gt=0, le=1, switch=True
    )
    gradient_norms: bool | None = option(
        None,
        "record the norm of the training loss's gradient at every step of every update (table gradient_norms); "
        "null: where the run's kernel gives it for free",
        switch=True,
        named_as_default=(False,),
    )
    eval_every: int = option(100, "updates between evaluations, and between rows of metrics", ge=1)
    eval_samples: int = option(512, "sequences of the evaluation set, drawn apart from training's", ge=1)
    test_samples: int = option(2048, "sequences of the test set, drawn apart from those, used once at the end", ge=1)
    solved_evals: int = option(3, "evaluations in a row that must meet the criterion for a run to be solved", ge=1)
    stop_when_solved: bool = option(True, "end a run as soon as it is solved")

    precision: str = option(
        "float32",
        "of arithmetic; tf32 and bfloat16 round matrix products, on GPUs alone; float64 is for checks",
        choices=PRECISIONS,
        switch=True,
    )

    def __post_init__(self) -> None:
        check_options(self)
        for one, other in _APART:
            if getattr(self, one) not in _OFF and getattr(self, other) not in _OFF:
                raise OptionError(one, f"cannot be on together with {other}; turn one of them off")
        for key, curricula in _OF_CURRICULA.items():
            default = self.__dataclass_fields__[key].default
            if getattr(self, key) != default and self.curriculum not in curricula:
                is_for = f"is for curriculum={', '.join(curricula)} alone, got curriculum={self.curriculum}"
                raise OptionError(key, f"{is_for}; set it to {'null' if default is None else default}")

    @property
    def apart_from_norms(self) -> bool:
        """Whether an option is on that does not go together with training gradient norms."""
        return any(getattr(self, one) not in _OFF for one, other in _APART if other == "gradient_norms")

    def check(self, cell: Cell) -> None:
        """Check the options against a cell.

        Raises:
            OptionError: an option that the cell has no kernel for.
        """
        for key, kind in (("omega", RNN), ("h_detach", LSTM)):
            if getattr(self, key) and type(cell) is not kind:
                raise OptionError(key, f"is for cell={kind.name} alone, got cell={cell.name}; set it to 0")
        self._check_network(cell)
        if self.gradient_norms and self.precision == "bfloat16" and type(cell.stepped) not in (RNN, LSTM, GRU):
            raise OptionError("gradient_norms", f"must be off in bfloat16 for cell={cell.name}; use precision=tf32")
        if self.h_detach and self.precision == "bfloat16":
            raise OptionError("precision", "must not be bfloat16 with h_detach, whose kernel has none; use tf32")

    def _check_network(self, cell: Cell) -> None:
        """Check the options against the layers of a network."""
        if cell.bidirectional and self.truncate is not None:
            raise OptionError("truncate", f"must be null with cell.bidirectional=true, got {self.truncate}")
        if len(parts_of(cell)) == 1:
            return
        several = "with cell.layers > 1 or cell.bidirectional=true"
        if self.omega:
            raise OptionError("omega", f"must be 0 {several}, got {self.omega}")
        if self.gradient_norms and self.h_detach:
            raise OptionError("gradient_norms", f"must be off with h_detach {several}")
        if self.gradient_norms and self.precision == "bfloat16":
            raise OptionError("gradient_norms", f"must be off in bfloat16 {several}; use precision=tf32")

    def check_task(self, task: Task) -> None:
        """Check the options against a task.

        Raises:
            OptionError: the task has no such smaller gaps as a curriculum wants.
        """
        if self.curriculum != "none":
            gaps(task, self.curriculum_from)

    def check_device(self, device: torch.device) -> None:
        """Check the options against a device of this machine.

        Raises:
            OptionError: the device does not compute in that precision.
        """
        if self.precision not in ON_GPU:
            return
        rest = f"; use float32, got {self.precision!r}"
        if device.type != "cuda":
            raise OptionError("precision", f"must be float32 or float64 with device={device.type}{rest}")
        if torch.cuda.get_device_capability(device) < (8, 0):
            name = torch.cuda.get_device_name(device)
            raise OptionError("precision", f"must be float32 or float64 on a {name}, which cannot do less{rest}")
