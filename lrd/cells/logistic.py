"""The logistic function of gates, with the same last bit wherever in a tensor a number stands."""

from __future__ import annotations

import torch

from lrd.shapes import Tensor


def logistic(a: Tensor) -> Tensor:
    """1 / (1 + exp(-a)), for any shape.

    Not ``torch.sigmoid``, whose last bit depends on where in a tensor, and so in which pack, a number stands.
    """
    # Beyond these bounds exp overflows, and its gradient would be 0 times infinity; the result is 0 to rounding.
    return (1 + torch.exp((-a).clamp(max=700 if a.dtype == torch.float64 else 80))).reciprocal()
