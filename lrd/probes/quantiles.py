"""Quantiles over samples of numbers some of which are only known to lie beyond what could be resolved."""

from __future__ import annotations

import torch

from lrd.gradients.schema import QUANTILES
from lrd.shapes import Bool, Float, Int, Tensor


def quantiles(
    values: Float[Tensor, "*rows batch"], there: Bool[Tensor, "*rows batch"], unresolved: float
) -> dict[str, Float[Tensor, "*rows"] | Int[Tensor, "*rows"]]:
    """Return quantiles by nearest rank, by name, of which some values are only known to be small, or large.

    Args:
        values: one a sample; nan where it lies beyond resolution.
        there: which samples count.
        unresolved: where such values are ranked, -inf (small) or inf (large).

    Returns:
        The quantiles, nan where one falls on a value beyond resolution or there is no sample; ``unresolved``, the
        share of such values among the samples that count; ``samples``, the number of those.
    """
    lost = values.isnan()
    rank_by = torch.where(lost, unresolved, values)
    # Stable, and by presence last, so that absent samples come after even those ranked at inf.
    order = rank_by.argsort(dim=-1, stable=True)
    order = order.gather(-1, (~there).gather(-1, order).to(torch.int8).argsort(dim=-1, stable=True))
    ordered, count = values.gather(-1, order), there.sum(-1)
    result = {}
    for name, q in QUANTILES.items():
        rank = ((q * count.double()).ceil().long() - 1).clamp(min=0)
        at_rank = ordered.gather(-1, rank[..., None])[..., 0]
        result[name] = torch.where(count > 0, at_rank, torch.nan)
    return result | {"unresolved": (lost & there).sum(-1).double() / count, "samples": count}
