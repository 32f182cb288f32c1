"""Gradient flow over samples: means, quantiles, and the rate at which it vanishes or explodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.options import OptionError, option
from lrd.probes.base import Probe, Subject
from lrd.probes.gradient_flow import Flow, answer_numbers, gradient_flow
from lrd.scalars import Columns
from lrd.shapes import Float, Tensor
from lrd.tasks import Task

QUANTILES = {"log10_q05": 0.05, "log10_q25": 0.25, "log10_q50": 0.5, "log10_q75": 0.75, "log10_q95": 0.95}


@dataclass(frozen=True)
class GradientFlow(Probe):
    """The norm of dL/dh_t (and dL/dc_t) at every t: tables ``gradient_flow`` and ``gradient_fit``."""

    name: ClassVar[str] = "gradient_flow"
    columns: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("variable", "part", "answer"), "VARCHAR"),
        **dict.fromkeys(("t", "lag"), "BIGINT"),
        **dict.fromkeys(("log10_mean", "log10_gmean", *QUANTILES, "zero_share"), "DOUBLE"),
    }

    answer: str | int = option(
        "last", "the answer whose loss is followed back: first, last, all (their sum), each or a number"
    )
    precision: str = option("float32", "of the states and gradients looked at", choices=("float32", "float64"))

    def measure(self, subject: Subject) -> list[Columns]:
        return [tables[self.name] for tables in self.tables_of(subject)]

    def tables_of(self, subject: Subject) -> list[dict[str, Columns]]:
        batch = subject.task.batch(subject.seeds, "probe", 0, self.samples)
        flows = [
            gradient_flow(subject.task, subject.cell, subject.params, batch, k, getattr(torch, self.precision))
            for k in (range(subject.task.answers) if self.answer == "each" else [self.answer])
        ]
        tables: list[dict[str, Columns]] = []
        for run in range(len(subject.seeds)):
            parts = [profile_columns(flow, run) for flow in flows]
            fits = [{"variable": v} | vars(fit(subject.task, flows[-1], v, run)) for v in flows[-1].total]
            lines = {name: np.array([row[name] for row in fits], dtype=_DTYPES[kind]) for name, kind in FIT.items()}
            tables.append(
                {self.name: {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}, "gradient_fit": lines}
            )
        return tables

    @classmethod
    def tables(cls) -> dict[str, dict[str, str]]:
        return {cls.name: cls.columns, "gradient_fit": FIT}

    def check(self, task: Task) -> None:
        if self.answer != "each":
            check_answer(task, self.answer)


def check_answer(task: Task, answer: str | int) -> None:
    """Raise ``OptionError`` for an answer that the task does not have."""
    try:
        answer_numbers(task, answer)
    except ValueError as error:
        raise OptionError("answer", str(error)) from None


@dataclass(frozen=True)
class Fit:
    """A straight line through log10 of the geometric mean norm of dL/ds_t against t.

    ``slope``: log10 per step of t; above 0 the gradient vanishes on its way back, below 0 it explodes; ``horizon``:
    steps back until the norm has fallen to 1/e (inf where it does not fall); nan where fewer than 3 ``points`` have a
    gradient other than 0.

    ``slope_error``: standard error of the slope over ``samples``, each with a line of its own (nan for fewer than 2).
    ``fallen_e``, ``fallen_milli``: the first lag behind the end of the line at which the norm itself has fallen to 1/e
    and to 1/1000 of what it is there; inf where it does not fall so far.
    """

    slope: float
    horizon: float
    points: int
    slope_error: float
    samples: int
    fallen_e: float
    fallen_milli: float


FIT = {
    "variable": "VARCHAR",
    "slope": "DOUBLE",
    "horizon": "DOUBLE",
    "points": "BIGINT",
    "slope_error": "DOUBLE",
    "samples": "BIGINT",
    "fallen_e": "DOUBLE",
    "fallen_milli": "DOUBLE",
}
_DTYPES = {"VARCHAR": object, "DOUBLE": np.float64, "BIGINT": np.int64}


def profile_columns(flow: Flow, run: int) -> dict[str, np.ndarray]:
    """The rows of one run of the table ``gradient_flow`` (see ``lrd.records.reader``), all but ``update``.

    A row a (variable, part, step) that any sample has; of the direct part only the steps where there is one.
    """
    lags = flow.lags.cpu().numpy()
    rows: list[dict[str, np.ndarray]] = []
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


def over_samples(norms: Float[Tensor, "lags batch"]) -> dict[str, Float[Tensor, "lags"]]:
    """Statistics of log10 norms over samples, each again log10 of a norm; nan entries (no such step) are left out.

    ``log10_mean``: of the arithmetic mean; ``log10_gmean``: of the geometric mean over the samples whose gradient is
    not 0; ``log10_q..``: quantiles by nearest rank, over all samples; ``zero_share``: the share of samples whose
    gradient is exactly 0 (log10 norm -inf).
    """
    ordered = norms.sort(dim=-1).values  # nan sorts last
    count = (~ordered.isnan()).sum(-1)
    largest = ordered.gather(-1, (count - 1).clamp(min=0)[:, None])
    # Relative to the largest, so that no power of ten leaves float64; -inf - -inf would be nan, hence the where.
    relative = torch.where(largest.isneginf(), 0.0, 10 ** (norms - largest))
    zero = norms.isneginf()
    nonzero = count - zero.sum(-1)
    result = {
        "log10_mean": largest[:, 0] + (relative.nansum(-1) / count).log10(),
        "log10_gmean": torch.where(zero, torch.nan, norms).nanmean(-1).where((nonzero > 0) | (count == 0), -torch.inf),
    }
    for name, q in QUANTILES.items():
        rank = ((q * count.double()).ceil().long() - 1).clamp(min=0)
        result[name] = ordered.gather(-1, rank[:, None])[:, 0]
    result["zero_share"] = zero.sum(-1).double() / count
    return result


def fit(task: Task, flow: Flow, variable: str, run: int) -> Fit:
    """Slope of the total gradient flow of one run over the task's quiet steps, by least squares."""
    lags = flow.lags.cpu().numpy()
    t = lags.max() - lags
    norms = flow.total[variable][:, run]
    y = over_samples(norms)["log10_gmean"].cpu().numpy()
    quiet = (t >= task.quiet_steps.start) & (t < task.quiet_steps.stop)
    (slope,), (points,) = _lines(t[quiet], y[quiet, None])
    slopes, _ = _lines(t[quiet], norms.cpu().numpy()[quiet])
    slopes = slopes[~np.isnan(slopes)]
    error = float(slopes.std(ddof=1) / math.sqrt(len(slopes))) if len(slopes) > 1 else math.nan
    fallen = [_fallen(y[quiet], by) for by in (math.log10(math.e), 3.0)]
    return Fit(float(slope), horizon(float(slope)), int(points), error, len(slopes), *fallen)


def _lines(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the least-squares line through the finite values of each column of y [t, columns]; their number.

    nan where there are fewer than 3.
    """
    there = np.isfinite(y)
    count = there.sum(0)
    few, number = count < 3, np.maximum(count, 1)
    y = np.where(there, y, 0.0)
    centred = (t[:, None] - (t @ there) / number) * there
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (centred * (y - y.sum(0) / number)).sum(0) / np.square(centred).sum(0)
    return np.where(few, np.nan, slopes), count


def horizon(slope: float) -> float:
    """Steps back over which a norm of this slope (log10 a step of t) falls to 1/e; inf where it does not."""
    return math.nan if math.isnan(slope) else math.log10(math.e) / slope if slope > 0 else math.inf


def _fallen(y: np.ndarray, by: float) -> float:
    """Steps back from the end after which the log10 norm is lower by so much."""
    if len(y) == 0 or not math.isfinite(y[-1]):
        return math.nan
    below = np.flatnonzero(y[::-1] <= y[-1] - by)  # nan is not
    return float(below[0]) if len(below) else math.inf
