"""Gradient flow over samples: means, quantiles, and the rate at which it vanishes or explodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from lrd.probes.gradient_flow import Flow
from lrd.shapes import Float, Tensor
from lrd.tasks import Task

QUANTILES = {"log10_q05": 0.05, "log10_q25": 0.25, "log10_q50": 0.5, "log10_q75": 0.75, "log10_q95": 0.95}


@dataclass(frozen=True)
class Fit:
    """A straight line through log10 of the geometric mean norm of dL/ds_t against t.

    ``slope``: log10 per step of t; above 0 the gradient vanishes on its way back, below 0 it explodes; ``horizon``:
    steps back until the norm has fallen to 1/e (inf where it does not fall); nan where fewer than 3 ``points`` have a
    gradient other than 0.
    """

    slope: float
    horizon: float
    points: int


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
    y = over_samples(flow.total[variable][:, run])["log10_gmean"].cpu().numpy()
    use = np.isfinite(y) & (t >= task.quiet_steps.start) & (t < task.quiet_steps.stop)
    t, y = t[use].astype(float), y[use]
    if len(t) < 3:
        return Fit(math.nan, math.nan, len(t))
    slope = float(np.polyfit(t - t.mean(), y, 1)[0])
    return Fit(slope, math.log10(math.e) / slope if slope > 0 else math.inf, len(t))
