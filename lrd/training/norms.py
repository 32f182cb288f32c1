"""The norm of the training loss's gradient at every step of every update, summed up on the device.

What is kept of all samples of all updates since the last row of the table ``gradient_norms``: sums and extremes of each
step's log10 norm. Kernels that have the gradients at hand tell their norms by the way (``lrd.kernels.WITH_NORMS``);
for other cells the way back is taken once more (``by_adjoint``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lrd.cells import Cell, Parameters
from lrd.kernels import GradientNorms
from lrd.probes import Columns
from lrd.probes.adjoint import adjoint
from lrd.probes.gradient_flow import total_norms
from lrd.shapes import Bool, Float, Tensor

Norms = dict[str, Float[Tensor, "time runs batch"]]
#: Of the norms of one step: what is kept, each [runs, time].
_KEPT = ("log_sum", "square_sum", "zeros", "least", "most", "relative")
_LN10 = math.log(10.0)


@dataclass(frozen=True)
class NormSums:
    """``kept[variable, what]`` [runs, time] and ``updates`` [runs] so far, float64; changed in place."""

    kept: Mapping[tuple[str, str], Float[Tensor, "runs time"]]
    updates: Float[Tensor, "runs"]

    @classmethod
    def nothing(cls, cell: Cell, runs: int, time: int, device: torch.device) -> NormSums:
        """Before the first update."""
        keys = [(name, what) for name in cell.measured_names for what in _KEPT]
        made = {key: torch.zeros(runs, time, dtype=torch.float64, device=device) for key in keys}
        sums = cls(made, torch.zeros(runs, dtype=torch.float64, device=device))
        sums.clear()
        return sums

    def clear(self) -> None:
        """Begin anew."""
        for (_, what), value in self.kept.items():
            value.fill_({"least": math.inf, "most": -math.inf}.get(what, 0.0))
        self.updates.zero_()

    def add(self, norms: Norms, counts: Bool[Tensor, "runs"], factor: float) -> None:
        """The log10 norms of an update times ``factor``, of the runs in which it ``counts``."""
        self.updates.add_(counts)
        counts = counts[:, None]
        for variable in dict.fromkeys(name for name, _ in self.kept):
            log = norms[variable].permute(1, 0, 2) + math.log10(factor)
            zero = log == -torch.inf
            finite = torch.where(zero, 0.0, log)
            added = {"log_sum": finite.sum(-1), "square_sum": finite.square().sum(-1), "zeros": zero.double().sum(-1)}
            own = {what: self.kept[variable, what] for what in _KEPT}
            for what, value in added.items():
                own[what] += torch.where(counts, value, 0.0)  # not times 0, which makes nan of infinity
            least = torch.where(zero, torch.inf, log).amin(-1)
            own["least"].copy_(torch.where(counts, torch.minimum(own["least"], least), own["least"]))
            most = torch.maximum(own["most"], log.amax(-1))
            top = torch.where(most == -torch.inf, 0.0, most)
            relative = own["relative"] * _ten_to(own["most"] - top) + _ten_to(log - top[..., None]).sum(-1)
            own["relative"].copy_(torch.where(counts, relative, own["relative"]))
            own["most"].copy_(torch.where(counts, most, own["most"]))

    def each(self, change: Callable[[Tensor], Tensor]) -> NormSums:
        """Those of other runs, from each tensor whose rows are runs."""
        return NormSums({key: change(value) for key, value in self.kept.items()}, change(self.updates))

    def tensors(self) -> dict[str, Float[Tensor, "runs *time"]]:
        """All of it by name, for a checkpoint."""
        return {f"{name} {what}": value for (name, what), value in self.kept.items()} | {"": self.updates}

    @classmethod
    def of_runs(cls, each: Sequence[Mapping[str, Any]], device: torch.device) -> NormSums:
        """The sums of runs from the rows of each in ``tensors``; of ``updates`` a number."""
        updates = torch.tensor([own[""] for own in each], dtype=torch.float64, device=device)
        kept = {}
        for key in each[0]:
            if key:
                name, what = key.split(" ")
                kept[name, what] = torch.stack([own[key] for own in each]).to(device)
        return cls(kept, updates)

    def tables(self, batch_size: int) -> list[Columns]:
        """The columns of ``COLUMNS`` of each run, from updates of so many sequences; {} where there was none."""
        names = list(dict.fromkeys(name for name, _ in self.kept))
        # One copy from the device: [what, runs, variables, time].
        every = torch.stack([torch.stack([self.kept[name, what] for name in names], 1) for what in _KEPT]).cpu()
        updates = self.updates.cpu()
        return [
            _columns(names, dict(zip(_KEPT, every[:, run].numpy(), strict=True)), int(count), batch_size)
            for run, count in enumerate(updates)
        ]


def _columns(names: Sequence[str], own: Mapping[str, np.ndarray], updates: int, batch_size: int) -> Columns:
    """Of one run, ``own[what]`` [variables, time]."""
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
    labels = {
        "variable": np.repeat(np.array(names, dtype=object), time),
        "t": np.tile(np.arange(time), len(names)),
        "updates": np.full(time * len(names), updates),
    }
    return labels | {name: value.ravel() for name, value in numbers.items()}


def _ten_to(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return (x * _LN10).exp()


def by_kernel(
    cell: Cell, told: Sequence[GradientNorms], inputs: Float[Tensor, "time runs batch inputs"], every: int
) -> Norms:
    """Norms of a whole sequence from those of its parts of ``every`` steps; into the empty ones went no gradient."""
    parts = []
    for start, part in zip(range(0, len(inputs), every), told, strict=True):
        found = part.log10()
        steps = inputs[start : start + every, ..., 0]
        parts.append(found or dict.fromkeys(cell.measured_names, torch.full_like(steps, -torch.inf).double()))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def by_adjoint(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    direct: Sequence[Tensor],
    every: int,
) -> Norms:
    """Norms for any cell, by going forward and back once more; ``params`` are prepared.

    ``direct``: what h gets from the loss without the way over later steps, in parts between which the gradient is cut,
    each of the last steps of ``every``.
    """
    time = len(inputs)
    into_h: dict[int, Tensor] = {}
    for start, part in zip(range(0, time, every), direct, strict=True):
        stop = min(start + every, time)
        into_h |= {stop - len(part) + j: into for j, into in enumerate(part.unbind(0))}
    with torch.no_grad():
        tape = adjoint(cell, {name: value.detach() for name, value in params.items()}, inputs)
        norms = total_norms(tape, into_h, range(every, time, every))
    found = {}
    for v in cell.measured:
        after = norms[v].new_full((time - len(norms[v]), *norms[v].shape[1:]), -torch.inf)
        found[cell.state_names[v]] = torch.cat([norms[v], after])
    return found
