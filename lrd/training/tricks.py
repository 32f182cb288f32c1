"""What training adds to or takes from the gradient of a pack's loss before it is clipped: Omega and h-detach."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lrd.cells import RNN, Cell, Parameters
from lrd.kernels import choose_kernel
from lrd.shapes import Float, Int, Tensor
from lrd.spec import RunSpec
from lrd.tasks.streams import Stream
from lrd.training.omega import omega


def update_kernel(run: RunSpec, device: torch.device | None = None, runs: int = 1) -> str:
    """The kernel, by name, that updates of a run and those like it use; evaluations use ``choose_kernel``'s."""
    return choose_kernel(run.cell, device, runs, cut=bool(run.training.h_detach))


@dataclass(frozen=True)
class Tricks:
    """The options of a pack's runs [runs]; None: off in all of them (it is never on in some of them only)."""

    omega: Float[Tensor, "runs"] | None
    h_detach: Float[Tensor, "runs"] | None

    @classmethod
    def of(cls, runs: Sequence[RunSpec], device: torch.device) -> Tricks:
        """Those of the runs of a pack."""

        def column(name: str) -> Tensor | None:
            values = [getattr(run.training, name) for run in runs]
            return torch.tensor(values, dtype=torch.float64, device=device) if values[0] else None

        return cls(**{field.name: column(field.name) for field in dataclasses.fields(cls)})

    def of_runs(self, runs: slice | Int[Tensor, "some"]) -> Tricks:
        """Those of some of the runs."""
        return Tricks(**{name: None if column is None else column[runs] for name, column in vars(self).items()})

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured at every update, by name."""
        return () if self.omega is None else ("omega",)

    def cut(self, seeds: Int[Tensor, "runs"], update: int, time: int) -> dict[str, Float[Tensor, "runs time"]]:
        """``keep`` of the kernel: 0 at the steps at which h-detach cuts the way back through h, else 1; or nothing.

        One draw a step for all samples of a batch, as in the paper's code.
        """
        if self.h_detach is None:
            return {}
        drawn = Stream(seeds, "train", update, aside=True).uniform(time, dtype=torch.float64)
        return {"keep": (drawn >= self.h_detach[:, None]).float()}

    def add_omega(
        self, cell: Cell, params: Parameters, grads: Parameters, states: Sequence[Tensor], direct: Sequence[Tensor]
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Add the regulariser's gradient to that of W; returns its value, without its weight, by name.

        ``grads``: views of the gradient by parameter; ``states`` and ``direct`` as for ``omega``.
        """
        assert isinstance(cell, RNN)
        assert self.omega is not None
        value, into_w = omega(cell, params["W"].detach(), [h.detach() for h in states], direct)
        grads["W"] += self.omega.to(into_w.dtype)[:, None, None] * into_w
        return {"omega": value}
