"""Quantiles over samples of numbers some of which are only known to lie beyond what could be resolved."""

from __future__ import annotations

import torch

from lrd.gradients.schema import QUANTILES
from lrd.shapes import Bool, Float, Int, Tensor


def quantiles(
    values: Float[Tensor, "*rows batch"], there: Bool[Tensor, "*rows batch"], unresolved: float
) -> dict[str, Float[Tensor, "*rows"] | Int[Tensor, "*rows"]]:
    """Quantiles by nearest rank over the samples that are ``there``, with ``unresolved``, the share of nan among them.

    nan is a value beyond resolution, ranked at ``unresolved`` (-inf: small, inf: large); a quantile that falls on one
    is nan, and so is one over no sample. ``samples`` counts those that are there.
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
