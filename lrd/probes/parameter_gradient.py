"""The probe ``parameter_gradient``: what single time steps contribute to a parameter's gradient, by their lag.

A gradient that vanishes leaves the far steps without influence on what is learned, however large the sum over steps is.
The contributions are computed by ``lrd.gradients.contributions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.cells import Part
from lrd.gradients.contributions import Contributions, contributions_of_parts
from lrd.gradients.flow import answer_numbers, readout_gradient, select_runs
from lrd.gradients.network import NetworkTapes
from lrd.gradients.schema import OVER_SAMPLES
from lrd.gradients.summary import over_samples
from lrd.options import option
from lrd.probes.base import Probe, Subject, joined
from lrd.probes.gradient_flow import check_answer
from lrd.probes.schedule import log_spaced
from lrd.scalars import Columns
from lrd.tasks import Task

_GROUP_BYTES = 64 * 2**20  # runs are taken in groups whose partials of all steps stay about this small


@dataclass(frozen=True)
class ParameterGradient(Probe):
    """Norms of what steps contribute to the gradient of each parameter: a row a (parameter, part, lag).

    Statistics are over samples, of the log10 of a norm.

    Part ``immediate``: the norm of what step t = answer - lag contributes to the parameter's gradient; ``beyond``: the
    norm of the sum of all contributions from further back than ``lag``, over that of the whole sum.
    Contributions may cancel, so that ``beyond`` can exceed 0. Lags of ``beyond`` are log-spaced.
    """

    name: ClassVar[str] = "parameter_gradient"
    columns: ClassVar[dict[str, str]] = {
        "parameter": "VARCHAR",
        "part": "VARCHAR",
        "answer": "VARCHAR",
        "lag": "BIGINT",
        **OVER_SAMPLES,
    }

    answer: str | int = option("last", "the answer whose loss is followed back: first, last, all or a number")
    lags_per_decade: int = option(6, "lags per decade at which `beyond` is taken", ge=1)

    def check(self, task: Task) -> None:
        check_answer(task, self.answer)

    def measure(self, subject: Subject) -> list[Columns]:
        return [tables[self.name] for tables in self.tables_of(subject)]

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        task, cell, batch = subject.task, subject.cell, subject.sequences(self.samples)
        runs = torch.arange(len(subject.seeds), device=batch.inputs.device)
        rows = sum(value[0].numel() for value in subject.params.values()) // cell.hidden_size
        per_run = 8 * batch.inputs[:, 0, :, 0].numel() * rows * 2
        tables: list[dict[str, Columns]] = []
        for group in torch.split(runs, max(1, _GROUP_BYTES // per_run)):
            params, part = select_runs(subject.params, batch, group, torch.float64)
            steps = torch.stack([task.answer_steps(part, k) for k in answer_numbers(task, self.answer)])
            with torch.no_grad():
                tapes = NetworkTapes(cell, params, part.inputs)
                found = contributions_of_parts(tapes, readout_gradient(task, params, part, tapes.h, steps), steps)
            of_runs = {
                place: [{self.name: self._table(of_part, run, place)} for run in range(len(group))]
                for place, of_part in found.items()
            }
            tables += joined(of_runs)
        return tables

    def _table(self, found: dict[str, Contributions], run: int, place: Part) -> Columns:
        parts: list[Columns] = []
        sign = -1 if place.is_backward else 1  # lags of contributions count in the order in which the part reads
        for name, of_pack in found.items():
            of = of_pack.of_run(run)
            lags, largest = of.lags, of.lags[0]
            chosen = [lag for lag in log_spaced(largest, self.lags_per_decade) if lag < largest]
            beyond = of.beyond(0, chosen)
            for part, at, norms in (("immediate", lags, of.immediate[:, 0]), ("beyond", chosen, beyond)):
                statistics = {key: value.cpu().numpy() for key, value in over_samples(norms).items()}
                there = ~np.isnan(statistics["zero_share"])
                labels = {"parameter": name, "part": part, "answer": str(self.answer)}
                columns: Columns = {key: np.full(there.sum(), label, dtype=object) for key, label in labels.items()}
                columns |= {"lag": sign * np.asarray(at, dtype=np.int64)[there]} | {
                    key: value[there] for key, value in statistics.items()
                }
                parts.append(columns)
        return {name: np.concatenate([part[name] for part in parts]) for name in self.columns}
