"""Changes of the gradient before it is clipped (Omega, h-detach, the norm stabiliser), and the kernels for them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lrd.cells import RNN, Cell, Parameters, features, parts_of
from lrd.kernels import KERNELS, choose_kernel
from lrd.kernels.layers import Dropout
from lrd.shapes import Float, Int, Tensor
from lrd.spec import RunSpec
from lrd.tasks.streams import Stream
from lrd.training.dropout import dropout
from lrd.training.kernel_trust import known_wrong, settle
from lrd.training.norm_stabilizer import norm_changes
from lrd.training.omega import omega


def update_kernel(run: RunSpec, device: torch.device | None = None, runs: int = 1) -> str:
    """Return the name of the kernel that updates of a pack of such runs use.

    Args:
        run: One of the runs; all of a pack have the same kernel.
        device: Where the pack is trained; None: on a CPU.
        runs: How many runs the pack has.
    """
    training = run.training
    # A kernel's own norms are of one part: what layers hand down leaves the range of float32 (lrd.gradients.network).
    # Norms that are on by themselves do not choose: has_norms of lrd.training.norms_by_default asks the kernel that is.
    cut, norms = bool(training.h_detach), training.gradient_norms is True and len(parts_of(run.cell)) == 1
    without = known_wrong(run.cell, device, training.precision)
    return choose_kernel(run.cell, device, runs, cut, norms, training.precision, without)


def evaluation_kernel(run: RunSpec, device: torch.device | None = None, runs: int = 1) -> str:
    """Return the name of the kernel that evaluations of a pack of such runs use; arguments as of ``update_kernel``."""
    without = known_wrong(run.cell, device, run.training.precision)
    return choose_kernel(run.cell, device, runs, precision=run.training.precision, without=without)


def trusted_kernels(run: RunSpec, device: torch.device, runs: int) -> tuple[str, str]:
    """Return the kernels of updates and of evaluations of a pack that is about to train; arguments as above.

    Those that are compiled here are checked first (``lrd.training.kernel_trust``). From then on ``update_kernel`` and
    ``evaluation_kernel`` give the same ones in this process.
    """

    def chosen() -> tuple[str, str]:
        return update_kernel(run, device, runs), evaluation_kernel(run, device, runs)

    settle(chosen, run.cell, device, run.training.precision)
    return chosen()


def scan_named(kernel: str, precision: str) -> Callable[..., Any]:
    """Return the function of a kernel, by its name, for runs of that ``training.precision``."""
    scan: Callable[..., Any] = KERNELS[kernel].scan
    rounds = precision == "bfloat16" and KERNELS[kernel].takes_precision
    return functools.partial(scan, precision=precision) if rounds else scan


@dataclass(frozen=True)
class Tricks:
    """The options of each run that change its gradient; None: off in all runs (never in some of a pack only)."""

    #: The weight of the regulariser Omega.
    omega: Float[Tensor, "runs"] | None
    #: The probability with which the backward pass is cut in h at a step.
    h_detach: Float[Tensor, "runs"] | None
    #: The share of the h between layers that is set to 0.
    dropout: Float[Tensor, "runs"] | None
    #: The weight of the norm stabiliser.
    norm_stabilizer: Float[Tensor, "runs"] | None

    @classmethod
    def of(cls, runs: Sequence[RunSpec], device: torch.device) -> Tricks:
        """Return the options of the runs of a pack."""

        def column(name: str) -> Tensor | None:
            values = [getattr(run.cell if name == "dropout" else run.training, name) for run in runs]
            return torch.tensor(values, dtype=torch.float64, device=device) if values[0] else None

        return cls(**{field.name: column(field.name) for field in dataclasses.fields(cls)})

    def each(self, change: Callable[[Tensor], Tensor]) -> Tricks:
        """Return the options of other runs, by a function of tensors whose rows are runs."""
        return Tricks(**{name: None if column is None else change(column) for name, column in vars(self).items()})

    def of_runs(self, runs: slice) -> Tricks:
        """Return the options of some of the runs."""
        return self.each(lambda column: column[runs])

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what is measured at every update."""
        return tuple(name for name in ("omega", "norm_stabilizer") if getattr(self, name) is not None)

    @property
    def need_every_h(self) -> bool:
        """Whether what is added to the loss needs h of every step, and not only of those that are scored."""
        return bool(self.measures)

    def cut(
        self, seeds: Int[Tensor, "runs"], update: int | Int[Tensor, "runs"], time: int
    ) -> dict[str, Float[Tensor, "runs time"]]:
        """Return the kernel's option ``keep``: 0 at the steps at which h-detach cuts the backward pass in h, else 1.

        One draw a step for all samples of a batch, as in the code of Kanuparthi et al. (2019).

        Args:
            seeds: The seed of each run.
            update: The number of the update, of which the draws are a function.
            time: Steps of the sequence.

        Returns:
            The option by its name; {} where h-detach is off.
        """
        if self.h_detach is None:
            return {}
        drawn = Stream(seeds, "train", update, aside="h_detach").uniform(time, dtype=torch.float64)
        return {"keep": (drawn >= self.h_detach[:, None]).float()}

    def dropped(
        self, cell: Cell, seeds: Int[Tensor, "runs"], update: int | Int[Tensor, "runs"], time: int, batch: int
    ) -> Dropout | None:
        """Return what dropout does to the h that go from layer to layer in an update; None where it is off.

        Args:
            cell: The cell of the runs, with its layers.
            seeds: The seed of each run.
            update: The number of the update, of which the draws are a function.
            time: Steps of the sequence.
            batch: Samples of the batch.
        """
        if self.dropout is None:
            return None
        stream = Stream(seeds, "train", update, aside="dropout")
        return dropout(stream, self.dropout, cell.layers - 1, (time, batch, features(cell)))

    def add_norm_stabilizer(
        self, loss: Float[Tensor, "runs"], states: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "runs"], dict[str, Float[Tensor, "runs"]]]:
        """Return what the gradient is taken of, and the value of what was added to the loss, without its weight.

        Args:
            loss: The training loss of each run.
            states: h_t of every step, in parts (see ``lrd.training.norm_stabilizer.norm_changes``).
        """
        if self.norm_stabilizer is None:
            return loss, {}
        value = norm_changes(states)
        return loss + self.norm_stabilizer.to(value.dtype) * value, {"norm_stabilizer": value.detach()}

    def add_omega(
        self, cell: Cell, params: Parameters, grads: Parameters, states: Sequence[Tensor], direct: Sequence[Tensor]
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Add the gradient of the regulariser Omega to that of W.

        Args:
            cell: The cell of the runs, a vanilla RNN.
            params: Parameters by name, [runs, ...].
            grads: Their gradients by name, as views that are changed in place.
            states: h_t of every step, in parts (see ``lrd.training.omega.omega``).
            direct: The gradient of the loss in each of these h_t, without its part through later steps.

        Returns:
            The value of Omega, without its weight, by name.
        """
        assert isinstance(cell, RNN)
        assert self.omega is not None
        value, into_w = omega(cell, params["W"].detach(), [h.detach() for h in states], direct)
        grads["W"] += self.omega.to(into_w.dtype)[:, None, None] * into_w
        return {"omega": value}
