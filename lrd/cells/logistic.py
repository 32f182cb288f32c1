"""The logistic function of gates, whose last bit does not depend on where in a tensor a number stands."""

from __future__ import annotations

from typing import Any

import torch

from lrd.shapes import Tensor


def logistic(a: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-a)), for any shape.

    Not ``torch.sigmoid``, whose last bit depends on where in a tensor, and so in which pack, a number stands.
    """
    result: Tensor = _Logistic.apply(a)  # type: ignore[no-untyped-call]
    return result


class _Logistic(torch.autograd.Function):
    """The function with s (1 - s) as its slope: a backward pass of three operations, not the eight of the formula."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:
        return (1 + torch.exp(-a)).reciprocal()  # where exp overflows, 1 / inf = 0 is right to rounding

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (s,) = ctx.saved_tensors
        slope: Tensor = s * (1 - s)
        return grad * slope
