"""The learning rate of every update: a warm-up, then a schedule over the updates that are left.

Of N updates, W of them warm-up, update k = 1, 2, ..., N has the learning rate lr f(k):

* warm-up, k <= W: f = k / W;
* with e = k - 1 - W and E = N - W, schedule ``linear``: f = 1 + (end_factor - 1) e / E; ``cosine`` (Loshchilov & Hutter
  2017): f = end_factor + (1 - end_factor) (1 + cos(pi e / E)) / 2; ``step``: f = step_factor^(e // step_size).

These are torch's LinearLR, CosineAnnealingLR and StepLR after a LinearLR from 1 / W, one behind the other as by its
SequentialLR (tested against them). As there, the end of a schedule is what an update after the last one would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lrd import spec
from lrd.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Schedule:
    """The learning rates of a pack, as a function of the number of the update, which may be a tensor on any device."""

    #: The option ``optimizer.schedule``.
    kind: str
    #: The updates of the whole training.
    updates: int
    #: The options of each run by name, in float64: float32 would lose digits of what changes little.
    columns: dict[str, Float[Tensor, "runs 1"]]

    @classmethod
    def of(cls, options: Sequence[spec.Optimizer], updates: int, device: torch.device) -> Schedule | None:
        """Return the schedule of a pack; None where its learning rates never change.

        Args:
            options: The optimiser's options of each run.
            updates: The updates of the whole training.
            device: Where the runs are trained.
        """
        first = options[0]
        if first.schedule == "constant" and not first.warmup:
            return None
        names = ("lr", "warmup", "end_factor", "step_size", "step_factor")
        values = {name: [[float(getattr(o, name))] for o in options] for name in names}
        columns = {name: torch.tensor(rows, dtype=torch.float64, device=device) for name, rows in values.items()}
        return cls(first.schedule, updates, columns)

    def each(self, change: Callable[[Tensor], Tensor]) -> Schedule:
        """Return the schedule of other runs, by a function of tensors whose rows are runs."""
        return Schedule(self.kind, self.updates, {name: change(column) for name, column in self.columns.items()})

    def rate(self, update: Int[Tensor, ""]) -> Float[Tensor, "runs 1"]:
        """Return the learning rate of each run at an update, counted from 1."""
        c = self.columns
        done = (update - 1 - c["warmup"]).clamp(min=0)
        part = done / (self.updates - c["warmup"]).clamp(min=1)
        if self.kind == "linear":
            factor = 1 + (c["end_factor"] - 1) * part
        elif self.kind == "cosine":
            factor = c["end_factor"] + (1 - c["end_factor"]) * (1 + torch.cos(math.pi * part)) / 2
        elif self.kind == "step":
            # Not by a power, whose last bit depends on where in a tensor, and so in which pack, a number stands.
            factor = torch.exp(torch.floor(done / c["step_size"]) * torch.log(c["step_factor"]))
        else:
            factor = torch.ones_like(part)
        return c["lr"] * torch.where(update <= c["warmup"], update / c["warmup"].clamp(min=1), factor)
