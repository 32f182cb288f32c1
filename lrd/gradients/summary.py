"""Gradient flow in few numbers: statistics over samples, and the rate at which it vanishes or explodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from lrd.gradients.flow import Flow
from lrd.gradients.rates import LOG10_E, horizon
from lrd.gradients.schema import QUANTILES
from lrd.shapes import Float, Tensor
from lrd.tasks import Task


@dataclass(frozen=True)
class Fit:
    """A straight line through log10 of the geometric mean norm of dL/ds_t against t.

    ``slope``: log10 per step of t; above 0 the gradient vanishes backwards in time, below 0 it explodes; ``horizon``:
    steps back until the norm has fallen to 1/e (inf where it does not fall); nan where fewer than 3 ``points`` have a
    gradient other than 0.

    ``slope_error``: standard error of the slope over ``samples``, each with a line of its own (nan for fewer than 2).
    ``fallen_e``, ``fallen_milli``: steps back from the last quiet step until the measured norm (not the line) is 1/e
    and 1/1000 of what it is there, or less; inf where it does not fall so far.
    """

    slope: float
    horizon: float
    points: int
    slope_error: float
    samples: int
    fallen_e: float
    fallen_milli: float


def fit(task: Task, flow: Flow, variable: str, run: int) -> Fit:
    """Return the line fitted by least squares to the total gradient flow of one run, over the task's quiet steps.

    Of a part that reads backward, steps count from the last one of the sequence: above 0 the gradient vanishes from one
    step that it reads to the one that it read before.
    """
    lags = flow.lags.cpu().numpy()
    t = lags.max() - lags
    norms = flow.total[variable][:, run]
    quiet = (t >= task.quiet_steps.start) & (t < task.quiet_steps.stop)
    if flow.part.is_backward:
        t, norms, quiet = -t[::-1], norms.flip(0), quiet[::-1]
    y = over_samples(norms)["log10_gmean"].cpu().numpy()
    (slope,), (points,) = _slopes(t[quiet], y[quiet, None])
    slopes, _ = _slopes(t[quiet], norms.cpu().numpy()[quiet])
    slopes = slopes[~np.isnan(slopes)]
    error = float(slopes.std(ddof=1) / math.sqrt(len(slopes))) if len(slopes) > 1 else math.nan
    fallen = [_steps_to_fall(y[quiet], by) for by in (LOG10_E, 3.0)]
    return Fit(float(slope), float(horizon(slope)), int(points), error, len(slopes), *fallen)


def over_samples(norms: Float[Tensor, "lags batch"]) -> dict[str, Float[Tensor, "lags"]]:
    """Return statistics of log10 norms over samples, each again log10 of a norm; nan (no such step) is left out.

    Returns:
        ``log10_mean``: of the arithmetic mean; ``log10_gmean``: of the geometric mean over the samples whose gradient
        is not 0; ``log10_q..``: quantiles by nearest rank, over all samples; ``zero_share``: the share of samples whose
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


def _slopes(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least-squares slope through the finite values of each column of y [t, columns], and their number.

    The slope is nan where there are fewer than 3.
    """
    there = np.isfinite(y)
    count = there.sum(0)
    few, number = count < 3, np.maximum(count, 1)
    y = np.where(there, y, 0.0)
    centred = (t[:, None] - (t @ there) / number) * there
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (centred * (y - y.sum(0) / number)).sum(0) / np.square(centred).sum(0)
    return np.where(few, np.nan, slopes), count


def _steps_to_fall(y: np.ndarray, by: float) -> float:
    """Return how many steps back from the end the log10 norm is first lower by ``by``; inf if it never is."""
    if len(y) == 0 or not math.isfinite(y[-1]):
        return math.nan
    below = np.flatnonzero(y[::-1] <= y[-1] - by)  # nan is not
    return float(below[0]) if len(below) else math.inf
