"""Linear readouts in closed form: ridge regression, with a strength that the training samples alone decide.

The objective is ``mean_i |y_i - V^T x_i - v|^2 + strength * |V|^2`` for inputs of size near 1 (see ``unit``), so that a
strength s is what independent noise of variance s on every input would amount to (Bishop 1995, "Training with noise is
equivalent to Tikhonov regularization"). Of ``STRENGTHS`` generalised cross-validation (Golub, Heath, Wahba 1979) takes
one for each target. The least of them, 1e-6, is a floor with a meaning: what stands in a state at less than 0.1 % of
its size does not count as readable, although a double-precision machine could still read it there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lrd.shapes import Float, Int, Tensor

STRENGTHS = tuple(10.0**power for power in range(-6, 5))


@dataclass(frozen=True)
class Readout:
    """A linear readout y = (x - x_mean) V + y_mean."""

    weights: Float[Tensor, "size targets"]
    x_mean: Float[Tensor, "size"]
    y_mean: Float[Tensor, "targets"]

    def __call__(self, x: Float[Tensor, "samples size"]) -> Float[Tensor, "samples targets"]:
        """Return predictions for any samples."""
        return (x - self.x_mean) @ self.weights + self.y_mean


def unit(states: Float[Tensor, "..."]) -> float:
    """Return the root mean square of all entries, the size that strengths are relative to; 1 if they are all 0."""
    largest = float(states.abs().max())  # taken out first: the squares of 1e-200 and 1e200 are no numbers
    return largest * float((states / largest).square().mean().sqrt()) if largest else 1.0


def fit_ridge(
    x: Float[Tensor, "samples size"],
    y: Float[Tensor, "samples targets"],
    group: Int[Tensor, "targets"] | None = None,
    strength: float | None = None,
) -> Readout:
    """Return the readout of ``y`` from ``x``, both float64.

    Args:
        x: the samples, of size near 1; if they are not all finite, the weights are nan.
        y: what to predict.
        group: numbers 0, 1, ... of the targets that share their strength (the classes of one item); None: all do.
        strength: fixed, > 0; None: by generalised cross-validation, group by group.
    """
    samples = len(x)
    x_mean, y_mean = x.mean(0), y.mean(0)
    xs, ys = x - x_mean, y - y_mean
    gram = xs.T @ xs / samples
    if not bool(gram.isfinite().all()):
        return Readout(gram.new_full((x.shape[1], y.shape[1]), torch.nan), x_mean, y_mean)
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp(min=0)[:, None]  # rounding leaves some at -1e-17
    # Also normalised by `samples`. Each column is one target in the basis of the principal directions.
    along = vectors.T @ (xs.T @ ys) / samples
    if strength is not None:
        return Readout(vectors @ (along / (values + strength)), x_mean, y_mean)
    group = torch.zeros(y.shape[1], dtype=torch.int64, device=y.device) if group is None else group
    best = _cross_validated(values, along, ys.square().mean(0), samples, group)
    return Readout(vectors @ (along / (values + best[group])), x_mean, y_mean)


def _cross_validated(
    values: Float[Tensor, "size 1"],
    along: Float[Tensor, "size targets"],
    variance: Float[Tensor, "targets"],
    samples: int,
    group: Int[Tensor, "targets"],
) -> Float[Tensor, "groups"]:
    """Return each group's strength with the least ``residual / (1 - freedom / samples)^2``; of equals the largest."""
    s = torch.tensor(STRENGTHS, dtype=values.dtype, device=values.device)
    # What each principal direction explains of a target, and what none does: as a sum of squares, since with few
    # samples both residual and freedom left go to 0 together, and a difference would decide by its rounding.
    spanned = values > 1e-14 * values.max()
    of_direction = torch.where(spanned, along.square() / torch.where(spanned, values, 1.0), 0.0)
    beyond = (variance - of_direction.sum(0)).clamp(min=0) if int(spanned.sum()) < samples - 1 else 0.0
    residuals = beyond + (s / (values + s)).square().T @ of_direction  # [strengths, targets]
    residual = residuals.new_zeros(len(s), int(group.max()) + 1).index_add_(1, group, residuals)
    freedom = 1 + (values / (values + s)).sum(0)[:, None]
    score = residual / (1 - freedom / samples).clamp(min=1e-12).square()
    # Two samples, for example, cannot tell strengths apart: all score alike, up to rounding, and the safest is taken.
    good = score <= score.amin(0) * (1 + 1e-9)
    return s[(good * torch.arange(len(s), device=s.device)[:, None]).amax(0)]


def out_of_sample(
    errors: Float[Tensor, "samples targets"], deviations: Float[Tensor, "samples targets"]
) -> tuple[Float[Tensor, "targets"], Float[Tensor, "samples targets"]]:
    """Return R^2 = 1 - mean(errors) / mean(deviations) of each target, and each sample's influence on it.

    The standard error of R^2, or of a sum of several, is that of the mean of the (summed) influences: the first order
    of the ratio of two means.

    Args:
        errors: squared errors of the readout.
        deviations: squared errors of the constant that the training samples would give, so that a readout of nothing
            has R^2 = 0 exactly.
    """
    scale = deviations.mean(0)
    ratio = errors.mean(0) / scale
    return 1 - ratio, (ratio * deviations - errors) / scale


def standard_error(influences: Float[Tensor, "samples *targets"]) -> Tensor:
    """Return the standard error of the mean over samples; nan for a single one."""
    if len(influences) < 2:
        return torch.full(influences.shape[1:], torch.nan, dtype=influences.dtype)
    spread: Tensor = influences.std(0)
    return spread / math.sqrt(len(influences))
