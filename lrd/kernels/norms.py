"""The by-product of a way back: the norm of the gradient at every state of every sample, beyond the range of float32.

It is that of the scalar that gradients are taken of, usually the training loss, which is a mean over batch and answers;
the probe ``gradient_flow`` takes the loss of one answer of one sample instead. What is differentiated with respect to
is the state of one sample at one step, with all ways over which it acts: dL/dc_t of the LSTM counts the one through
h_t. Cut ways (truncation, h-detach) do not count, as they do not for the parameters.

Along the way back a sample's gradient is a vector near 1 and an integer exponent of two, so that nothing is lost
however far it vanishes or explodes from step to step. Within one step numbers are float32 ones: a slope or a product
with weights that is 0 there is taken for 0. Parameters get the same gradient as without norms, except where that has
numbers beyond float32's range.
"""

from __future__ import annotations

import math

import torch

from lrd.shapes import Float, Int, Tensor

_LOG10_2 = math.log10(2.0)


class GradientNorms:
    """Filled by the backward pass of the scan that it is given to, and anew by each later one."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[Tensor, Tensor]] = {}

    def put(self, variable: str, size: Float[Tensor, "runs time batch"], power: Int[Tensor, "runs time batch"]) -> None:
        """The norms dL/d(variable) of every step, ``size * 2**power``."""
        self._parts[variable] = size, power

    def log10(self) -> dict[str, Float[Tensor, "time runs batch"]]:
        """By state variable, log10 of the norm of dL/d(variable) after each step; float64, -inf where it is 0."""
        found = {}
        for variable, (size, power) in self._parts.items():
            # However a number is split in two, its logarithm must have the same last bit.
            size, more = torch.frexp(size.double())
            found[variable] = (size.log10() + (power + more).to(torch.float64) * _LOG10_2).transpose(0, 1)
        return found
