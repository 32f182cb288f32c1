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
from lrd.gradients import norm_sums_on_cpu
from lrd.gradients.training_norms import Norms
from lrd.kernels import ScaledNorms
from lrd.scalars import Columns
from lrd.shapes import Bool, Float, Tensor

#: What is kept of the norms of each step: the sums of their log10 and of its square over the gradients that are not 0;
#: how many are 0; the least log10 of the others and the largest of all; and the sum of the norms over the largest,
#: which no power of ten can take out of float64. The names stand in checkpoints.
_KEPT = ("log_sum", "square_sum", "zeros", "least", "most", "relative")
#: A state variable of a part of the network.
Variable = tuple[Part, str]
_LN10 = math.log(10.0)


@dataclass(frozen=True)
class NormSums:
    """Sums of training gradient norms over the updates so far, in float64, changed in place.

    ``kept`` has ``_KEPT`` of each of ``variables``, a part of the network and a state variable of the cell; ``updates``
    is how many they are of.
    """

    variables: tuple[Variable, ...]
    kept: Float[Tensor, "runs variables 6 time"]
    updates: Float[Tensor, "runs"]

    @classmethod
    def nothing(cls, cell: Cell, runs: int, time: int, device: torch.device) -> NormSums:
        """Return the sums before the first update."""
        variables = tuple((part, name) for part in parts_of(cell) for name in one_layer(cell).measured_names)
        kept = torch.empty(runs, len(variables), len(_KEPT), time, dtype=torch.float64, device=device)
        sums = cls(variables, kept, torch.empty(runs, dtype=torch.float64, device=device))
        sums.clear()
        return sums

    def clear(self) -> None:
        """Forget all updates."""
        self.kept.zero_()
        for what, value in {"least": math.inf, "most": -math.inf}.items():
            self.kept[:, :, _KEPT.index(what)] = value
        self.updates.zero_()

    def add(self, norms: Norms, counts: Bool[Tensor, "runs"], *, batch_size: int) -> None:
        """Add the norms of an update, each times the batch size.

        Args:
            norms: by part and state variable, of a loss that is a mean over the batch.
            counts: in which runs the update counts; the others stay as they are.
            batch_size: how many samples that mean is over. Times it, a norm is that of one sample's own loss, which no
                longer depends on the size of the batch.
        """
        self.updates.add_(counts)
        for number, variable in enumerate(self.variables):
            given = norms[variable]
            if isinstance(given, ScaledNorms) and self.kept.is_cpu and norm_sums_on_cpu.program() is not None:
                norm_sums_on_cpu.add_norms(given, batch_size, counts, self.kept, number)
            else:
                log10 = given.log10() if isinstance(given, ScaledNorms) else given.permute(1, 0, 2)
                self._add_log10(number, log10 + math.log10(batch_size), counts[:, None])

    def _add_log10(self, variable: int, log: Float[Tensor, "runs time batch"], counts: Bool[Tensor, "runs 1"]) -> None:
        """Add the log10 of the norms of one variable, by its number."""
        log_sum, square_sum, zeros, own_least, own_most, own_relative = self.kept[:, variable].unbind(1)
        # Sums over the gradients that are not 0, and the number of those that are.
        zero = log == -torch.inf
        finite = torch.where(zero, 0.0, log)
        for own, added in (
            (log_sum, finite.sum(-1)),
            (square_sum, finite.square().sum(-1)),
            (zeros, zero.double().sum(-1)),
        ):
            own += torch.where(counts, added, 0.0)  # not times 0, which makes nan of infinity
        # Extremes, and the sum relative to the largest so far.
        least = torch.where(zero, torch.inf, log).amin(-1)
        own_least.copy_(torch.where(counts, torch.minimum(own_least, least), own_least))
        most = torch.maximum(own_most, log.amax(-1))
        top = torch.where(most == -torch.inf, 0.0, most)
        relative = own_relative * _ten_to(own_most - top) + _ten_to(log - top[..., None]).sum(-1)
        own_relative.copy_(torch.where(counts, relative, own_relative))
        own_most.copy_(torch.where(counts, most, own_most))

    def each(self, change: Callable[[Tensor], Tensor]) -> NormSums:
        """Return the sums of other runs: ``change`` takes each tensor, whose rows are runs, to one of those runs."""
        return NormSums(self.variables, change(self.kept), change(self.updates))

    def tensors(self) -> dict[str, Float[Tensor, "runs *time"]]:
        """Return all sums by name, for a checkpoint."""
        named = {
            f"{part.name_of(name)} {what}": self.kept[:, number, which]
            for number, (part, name) in enumerate(self.variables)
            for which, what in enumerate(_KEPT)
        }
        return named | {"": self.updates}

    @classmethod
    def of_runs(cls, each: Sequence[Mapping[str, Any]], device: torch.device) -> NormSums:
        """Return the sums of a pack from each run's rows of ``tensors``, in which ``updates`` is a number."""
        updates = torch.tensor([own[""] for own in each], dtype=torch.float64, device=device)
        names = list(dict.fromkeys(key.split(" ")[0] for key in each[0] if key))
        kept = [[[own[f"{name} {what}"] for what in _KEPT] for name in names] for own in each]
        stacked = torch.stack([torch.stack([torch.stack(rows) for rows in run]) for run in kept])
        return cls(tuple(map(placed, names)), stacked.to(device), updates)

    def tables(self, batch_size: int) -> list[Columns]:
        """Return the columns of ``schema.PART_COLUMNS`` and ``GRADIENT_NORMS`` of each run; {} where was no update.

        Args:
            batch_size: sequences of each update.
        """
        every = self.kept.cpu().numpy().swapaxes(1, 2).copy()  # [runs, what, variables, time]
        return [
            _columns(self.variables, dict(zip(_KEPT, own, strict=True)), int(count), batch_size)
            for own, count in zip(every, self.updates.tolist(), strict=True)
        ]


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
