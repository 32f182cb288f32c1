"""How much each time step contributes to the gradient of each parameter, and how much comes from far back.

dL/dtheta = sum over t of (dL/ds_t) (d+ s_t / d theta), where d+ is the immediate partial derivative, in which the state
before t counts as constant (Pascanu, Mikolov & Bengio 2013, eqs. 3-5); L is the loss of one answer of one sample, as in
``lrd.probes.gradient_flow``. A gradient that vanishes leaves the far steps without a say in what is learned, however
large the sum.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.options import option
from lrd.probes.adjoint import Adjoint, Partials, adjoint
from lrd.probes.base import Probe, Subject
from lrd.probes.gradient_flow import LOG10_2, answer_numbers, backwards, from_readout, log10_norm, take
from lrd.probes.profile import QUANTILES, check_answer, over_samples
from lrd.probes.schedule import log_spaced
from lrd.scalars import Columns
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Task

_GROUP_BYTES = 64 * 2**20  # runs are taken in groups whose partials of all steps stay about this small


@dataclass(frozen=True)
class ParameterGradient(Probe):
    """A row a (parameter of the cell, part, lag), with statistics over samples of log10 of

    ``immediate``: the norm of what step t = answer - lag contributes to the parameter's gradient;
    ``beyond``: the norm of the sum of all contributions from further back than ``lag``, over that of the whole sum.
    Contributions may cancel, so that ``beyond`` can exceed 0. Lags of ``beyond`` are log-spaced.
    """

    name: ClassVar[str] = "parameter_gradient"
    columns: ClassVar[dict[str, str]] = {
        "parameter": "VARCHAR",
        "part": "VARCHAR",
        "answer": "VARCHAR",
        "lag": "BIGINT",
        **dict.fromkeys(("log10_mean", "log10_gmean", *QUANTILES, "zero_share"), "DOUBLE"),
    }

    answer: str | int = option("last", "the answer whose loss is followed back: first, last, all or a number")
    lags_per_decade: int = option(6, "lags per decade at which `beyond` is taken", ge=1)

    def check(self, task: Task) -> None:
        check_answer(task, self.answer)

    def measure(self, subject: Subject) -> list[Columns]:
        task, cell, batch = subject.task, subject.cell, subject.sequences(self.samples)
        runs = torch.arange(len(subject.seeds), device=batch.inputs.device)
        rows = sum(value[0].numel() for value in subject.params.values()) // cell.hidden_size
        per_run = 8 * batch.inputs[:, 0, :, 0].numel() * rows * 2
        tables: list[Columns] = []
        for group in torch.split(runs, max(1, _GROUP_BYTES // per_run)):
            params, part = take(subject.params, batch, group, torch.float64)
            steps = torch.stack([task.answer_steps(part, k) for k in answer_numbers(task, self.answer)])
            with torch.no_grad():
                tape = adjoint(cell, params, part.inputs)
                into_h = from_readout(task, params, part, tape.h, steps)
                start = task.loss_steps.start
                found = contributions(tape, {t: into_h[t - start] for t in torch.unique(steps).tolist()}, steps.amax(0))
            tables += [self._table(found, run) for run in range(len(group))]
        return tables

    def _table(self, found: dict[str, Contributions], run: int) -> Columns:
        parts: list[Columns] = []
        for name, of in found.items():
            lags = torch.arange(len(of.immediate) - 1, -1, -1)
            chosen = [lag for lag in log_spaced(len(lags) - 1, self.lags_per_decade) if lag < len(lags) - 1]
            beyond = of.beyond(run, chosen)
            for part, at, norms in (("immediate", lags, of.immediate[:, run]), ("beyond", chosen, beyond)):
                statistics = {key: value.cpu().numpy() for key, value in over_samples(norms).items()}
                there = ~np.isnan(statistics["zero_share"])
                labels = {"parameter": name, "part": part, "answer": str(self.answer)}
                columns: Columns = {key: np.full(there.sum(), label, dtype=object) for key, label in labels.items()}
                columns |= {"lag": np.asarray(at)[there]} | {key: value[there] for key, value in statistics.items()}
                parts.append(columns)
        return {name: np.concatenate([part[name] for part in parts]) for name in self.columns}


@dataclass(frozen=True)
class Contributions:
    """What each step contributes to the gradient of one parameter, rows from the largest lag to lag 0.

    ``immediate`` [lags, runs, batch]: log10 norm, nan where a sample has no such step. The contribution itself is
    ``left right^T`` (or ``left``) times ``2**exponent``.
    """

    immediate: Float[Tensor, "lags runs batch"]
    left: Float[Tensor, "lags runs batch rows"]
    right: Float[Tensor, "lags runs batch columns"] | None
    exponent: Int[Tensor, "lags runs batch"]

    def beyond(self, run: int, lags: list[int]) -> Float[Tensor, "lags batch"]:
        """log10 of the norm of the sum over steps further back than each lag, over the norm of the whole sum."""
        first = len(self.left) - 1  # the largest lag, which is row 0
        edges = sorted({0, first + 1, *(first - lag for lag in lags)})
        total: Tensor | None = None
        power = torch.zeros_like(self.exponent[0, run])
        norms: dict[int, Tensor] = {}
        for start, stop in itertools.pairwise(edges):
            exponents = self.exponent[start:stop, run]
            largest = exponents.amax(0)
            scale = torch.exp2((exponents - largest).double())[..., None]
            left = self.left[start:stop, run] * scale
            if self.right is None:
                added = left.sum(0)
            else:
                added = torch.einsum("tbi,tbj->bij", left, self.right[start:stop, run]).flatten(1)
            if total is None:
                total, power = added, largest
            else:
                common = torch.maximum(power, largest)
                total = total * _power(power - common) + added * _power(largest - common)
                power = common
            norms[stop] = log10_norm([total[None]])[0, 0] + power.double() * LOG10_2
        whole = norms[first + 1]
        return torch.stack([norms[first - lag] - whole for lag in lags])


def _power(exponent: Int[Tensor, "batch"]) -> Float[Tensor, "batch 1"]:
    return torch.exp2(exponent.double())[:, None]


def contributions(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]], last: Int[Tensor, "runs batch"]
) -> dict[str, Contributions]:
    """The contributions of every step, for what the readout sends into h_t; ``last``: each sample's answer step."""
    kept: list[tuple[Partials, Tensor]] = []
    for t, arriving, _, exponent in backwards(tape, into_h):
        kept.append((tape.partials(t, arriving), exponent))
    kept.reverse()
    lags = torch.arange(len(kept) - 1, -1, -1, device=last.device)
    step = (last - lags[:, None, None]).clamp(min=0)
    there = last >= lags[:, None, None]
    exponent = torch.stack([e for _, e in kept]).gather(0, step).masked_fill(~there, -(2**20))
    found: dict[str, Contributions] = {}
    for name in kept[0][0]:
        left = _aligned([partials[name][0] for partials, _ in kept], step) * there[..., None]
        rights = [right for partials, _ in kept if (right := partials[name][1]) is not None]
        right = _aligned(rights, step) if rights else None
        norm = log10_norm(list(left))
        if right is not None:
            norm = norm + log10_norm(list(right))
        norm = norm + exponent.double() * LOG10_2
        found[name] = Contributions(torch.where(there, norm, torch.nan), left, right, exponent)
    return found


def _aligned(
    values: list[Float[Tensor, "runs batch size"]], step: Int[Tensor, "lags runs batch"]
) -> Float[Tensor, "lags runs batch size"]:
    stacked = torch.stack(values)
    return stacked.gather(0, step[..., None].expand(-1, -1, -1, stacked.shape[-1]))
