"""The probe ``gradient_flow``: the gradient flow of an answer, and the line fitted to it, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.cells import Part
from lrd.gradients import schema
from lrd.gradients.flow import Flow, answer_numbers, gradient_flows
from lrd.gradients.summary import fit, over_samples
from lrd.options import OptionError, option
from lrd.probes.base import Probe, Subject, joined
from lrd.scalars import DTYPES, Columns
from lrd.tasks import Task


@dataclass(frozen=True)
class GradientFlow(Probe):
    """The norm of dL/dh_t (and dL/dc_t) at every t: tables ``gradient_flow`` and ``gradient_fit``."""

    name: ClassVar[str] = "gradient_flow"
    columns: ClassVar[dict[str, str]] = schema.GRADIENT_FLOW

    answer: str | int = option(
        "last", "the answer whose loss is followed back: first, last, all (their sum), each or a number"
    )
    precision: str = option("float32", "of the states and gradients measured", choices=("float32", "float64"))

    def measure(self, subject: Subject) -> list[Columns]:
        return [tables[self.name] for tables in self.tables_of(subject)]

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        batch = subject.task.batch(subject.seeds, "probe", 0, self.samples)
        flows = [
            gradient_flows(subject.task, subject.cell, subject.params, batch, k, getattr(torch, self.precision))
            for k in (range(subject.task.answers) if self.answer == "each" else [self.answer])
        ]
        by_part: dict[Part, list[dict[str, Columns]]] = {}
        for of_part in zip(*flows, strict=True):  # one an answer
            by_part[of_part[0].part] = [self._tables(subject.task, of_part, run) for run in range(len(subject.seeds))]
        return joined(by_part)

    def _tables(self, task: Task, flows: Sequence[Flow], run: int) -> dict[str, Columns]:
        """Return the two tables of one run and one part of its network, from the flow of each answer."""
        answers = [profile_columns(flow, run) for flow in flows]
        profile = {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
        fits = [{"variable": v} | vars(fit(task, flows[-1], v, run)) for v in flows[-1].total]
        lines = {
            name: np.array([row[name] for row in fits], dtype=DTYPES[kind])
            for name, kind in schema.GRADIENT_FIT.items()
        }
        return {self.name: profile, "gradient_fit": lines}

    @classmethod
    def tables(cls) -> dict[str, dict[str, str]]:
        tables = {cls.name: cls.columns, "gradient_fit": schema.GRADIENT_FIT}
        return {name: {**schema.PART_COLUMNS, **columns} for name, columns in tables.items()}

    def check(self, task: Task) -> None:
        if self.answer != "each":
            check_answer(task, self.answer)


def check_answer(task: Task, answer: str | int) -> None:
    """Raise ``OptionError`` for an answer that the task does not have."""
    try:
        answer_numbers(task, answer)
    except ValueError as error:
        raise OptionError("answer", str(error)) from None


def profile_columns(flow: Flow, run: int) -> Columns:
    """Return the rows of one run and one part of its network in the table ``gradient_flow``.

    A row a (variable, part, step) that any sample has; of the direct part only the steps where there is one.
    """
    lags = flow.lags.cpu().numpy()
    rows: list[Columns] = []
    for part, norms_of in (("total", flow.total), ("direct", flow.direct)):
        for variable, norms in norms_of.items():
            columns = {name: v.cpu().numpy() for name, v in over_samples(norms[:, run]).items()}
            share = columns["zero_share"]  # nan where no sample has such a step
            keep = ~np.isnan(share) if part == "total" else share < 1
            kept = {name: v[keep] for name, v in columns.items()}
            labels = {"variable": variable, "part": part, "answer": flow.answer}
            size = int(keep.sum())
            labelled = {name: np.full(size, label, dtype=object) for name, label in labels.items()}
            rows.append(labelled | {"t": lags.max() - lags[keep], "lag": lags[keep]} | kept)
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
