"""Sums of training gradient norms over updates, on the device that trains, and the table that is made of them.

Of all samples of all updates since the last row of the table ``gradient_norms``, sums and extremes of each step's log10
norm are kept. ``lrd.gradients.training_norms`` says where the norms of an update come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lrd.cells import Cell, Part, one_layer, parts_of, placed
from lrd.gradients.training_norms import Norms
from lrd.scalars import Columns
from lrd.shapes import Bool, Float, Tensor

#: What is kept of the norms of each step, [runs, time]: the sums of their log10 and of its square over the gradients
#: that are not 0; how many are 0; the least log10 of the others and the largest of all; and the sum of the norms over
#: the largest, which no power of ten can take out of float64. The names stand in checkpoints.
_KEPT = ("log_sum", "square_sum", "zeros", "least", "most", "relative")
#: A state variable of a part of the network.
Variable = tuple[Part, str]
_LN10 = math.log(10.0)


@dataclass(frozen=True)
class NormSums:
    """Sums of training gradient norms over the updates so far, in float64, changed in place.

    ``kept[variable, what]`` [runs, time] of each of ``_KEPT``, where a variable is a part of the network and a state
    variable of the cell, and the number of ``updates`` [runs].
    """

    kept: Mapping[tuple[Variable, str], Float[Tensor, "runs time"]]
    updates: Float[Tensor, "runs"]

    @classmethod
    def nothing(cls, cell: Cell, runs: int, time: int, device: torch.device) -> NormSums:
        """Return the sums before the first update."""
        variables = [(part, name) for part in parts_of(cell) for name in one_layer(cell).measured_names]
        keys = [(variable, what) for variable in variables for what in _KEPT]
        made = {key: torch.zeros(runs, time, dtype=torch.float64, device=device) for key in keys}
        sums = cls(made, torch.zeros(runs, dtype=torch.float64, device=device))
        sums.clear()
        return sums

    def clear(self) -> None:
        """Forget all updates."""
        for (_, what), value in self.kept.items():
            value.fill_({"least": math.inf, "most": -math.inf}.get(what, 0.0))
        self.updates.zero_()

    def add(self, norms: Norms, counts: Bool[Tensor, "runs"], *, batch_size: int) -> None:
        """Add the norms of an update, each times the batch size.

        Args:
            norms: log10 norms by part and state variable, of a loss that is a mean over the batch.
            counts: in which runs the update counts; the others stay as they are.
            batch_size: how many samples that mean is over. Times it, a norm is that of one sample's own loss, which no
                longer depends on the size of the batch.
        """
        self.updates.add_(counts)
        counts = counts[:, None]
        for variable in self._variables:
            own = {what: self.kept[variable, what] for what in _KEPT}
            log = norms[variable].permute(1, 0, 2) + math.log10(batch_size)
            # Sums over the gradients that are not 0, and the number of those that are.
            zero = log == -torch.inf
            finite = torch.where(zero, 0.0, log)
            added = {"log_sum": finite.sum(-1), "square_sum": finite.square().sum(-1), "zeros": zero.double().sum(-1)}
            for what, value in added.items():
                own[what] += torch.where(counts, value, 0.0)  # not times 0, which makes nan of infinity
            # Extremes, and the sum relative to the largest so far.
            least = torch.where(zero, torch.inf, log).amin(-1)
            own["least"].copy_(torch.where(counts, torch.minimum(own["least"], least), own["least"]))
            most = torch.maximum(own["most"], log.amax(-1))
            top = torch.where(most == -torch.inf, 0.0, most)
            relative = own["relative"] * _ten_to(own["most"] - top) + _ten_to(log - top[..., None]).sum(-1)
            own["relative"].copy_(torch.where(counts, relative, own["relative"]))
            own["most"].copy_(torch.where(counts, most, own["most"]))

    def each(self, change: Callable[[Tensor], Tensor]) -> NormSums:
        """Return the sums of other runs: ``change`` takes each tensor, whose rows are runs, to one of those runs."""
        return NormSums({key: change(value) for key, value in self.kept.items()}, change(self.updates))

    def tensors(self) -> dict[str, Float[Tensor, "runs *time"]]:
        """Return all sums by name, for a checkpoint."""
        named = {f"{part.name_of(name)} {what}": value for ((part, name), what), value in self.kept.items()}
        return named | {"": self.updates}

    @classmethod
    def of_runs(cls, each: Sequence[Mapping[str, Any]], device: torch.device) -> NormSums:
        """Return the sums of a pack from each run's rows of ``tensors``, in which ``updates`` is a number."""
        updates = torch.tensor([own[""] for own in each], dtype=torch.float64, device=device)
        kept = {}
        for key in each[0]:
            if key:
                name, what = key.split(" ")
                kept[placed(name), what] = torch.stack([own[key] for own in each]).to(device)
        return cls(kept, updates)

    def tables(self, batch_size: int) -> list[Columns]:
        """Return the columns of ``schema.PART_COLUMNS`` and ``GRADIENT_NORMS`` of each run; {} where was no update.

        Args:
            batch_size: sequences of each update.
        """
        variables = self._variables
        # One copy from the device: [what, runs, variables, time].
        every = torch.stack([torch.stack([self.kept[v, what] for v in variables], 1) for what in _KEPT]).cpu()
        updates = self.updates.cpu()
        return [
            _columns(variables, dict(zip(_KEPT, every[:, run].numpy(), strict=True)), int(count), batch_size)
            for run, count in enumerate(updates)
        ]

    @property
    def _variables(self) -> list[Variable]:
        return list(dict.fromkeys(variable for variable, _ in self.kept))


def _columns(variables: Sequence[Variable], own: Mapping[str, np.ndarray], updates: int, batch_size: int) -> Columns:
    """Return the table of one run, from ``own[what]`` [variables, time]."""
    if updates == 0:
        return {}
    count = updates * batch_size
    there = count - own["zeros"]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = own["log_sum"] / there
        numbers = {
            "log10_mean": own["most"] + np.log10(own["relative"] / count),
            "log10_gmean": np.where(there > 0, mean, -np.inf),
            "log10_std": np.sqrt(np.maximum(own["square_sum"] / there - np.square(mean), 0)),
            "log10_min": np.where(there > 0, own["least"], -np.inf),
            "log10_max": own["most"],
            "zero_share": own["zeros"] / count,
        }
    time = own["zeros"].shape[1]
    parts, names = zip(*variables, strict=True)
    layers, directions = zip(*parts, strict=True)
    labels = {
        "layer": np.repeat(np.array(layers), time),
        "direction": np.repeat(np.array(directions, dtype=object), time),
        "variable": np.repeat(np.array(names, dtype=object), time),
        "t": np.tile(np.arange(time), len(names)),
        "updates": np.full(time * len(names), updates),
    }
    return labels | {name: value.ravel() for name, value in numbers.items()}


def _ten_to(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return (x * _LN10).exp()
