"""The norm of the training gradient at every state of every sample, as the backward pass of a kernel hands it over.

The gradient is that of the scalar from which the backward pass starts, usually the training loss. That is a mean over
the batch and the scored steps; ``lrd.gradients.norm_sums.NormSums.add`` multiplies by the batch size, which gives the
norm of one sample's own loss. (The probe ``gradient_flow`` takes the loss of one answer of one sample and has no such
factor.) The gradient is taken with respect to the state of one sample at one step, along all paths by which that state
acts on the loss: dL/dc_t of the LSTM counts the path through h_t. A path that training cuts (truncation, h-detach) does
not count, as it does not for the parameters.

Kernels keep a sample's gradient as a scaled vector (``lrd.scaled``), so that nothing is lost however far it vanishes or
explodes from step to step. Within one step numbers are float32 ones: a slope or a product with weights that is 0 there
is taken for 0. Parameters get the same gradient as without norms, except where that has numbers beyond the range of
float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from lrd.scaled import LOG10_2
from lrd.shapes import Float, Int, Tensor


class ScaledNorms(NamedTuple):
    """The norms ``size * 2**power`` of one state variable's gradient. A size is 0 or no smaller than 2^-1022."""

    size: Float[Tensor, "runs time batch"]
    power: Int[Tensor, "runs time batch"]

    def log10(self) -> Float[Tensor, "runs time batch"]:
        """Return log10 of the norms in float64, -inf where they are 0."""
        # However a number is split in two, its logarithm must have the same last bit.
        size, more = torch.frexp(self.size.double())
        return size.log10() + (self.power + more).to(torch.float64) * LOG10_2


class GradientNorms:
    """The norms of one backward pass: filled by the kernel that it is given to, and anew by each later pass.

    Attributes:
        scaled: The norms of dL/d(variable) at every step, by variable.
    """

    def __init__(self) -> None:
        self.scaled: dict[str, ScaledNorms] = {}

    def put(self, variable: str, size: Float[Tensor, "runs time batch"], power: Int[Tensor, "runs time batch"]) -> None:
        """Keep the norms ``size * 2**power`` of dL/d(variable) at every step."""
        self.scaled[variable] = ScaledNorms(size, power)

    def log10(self) -> dict[str, Float[Tensor, "time runs batch"]]:
        """Return log10 of the norm of dL/d(variable) after each step, by variable; float64, -inf where it is 0."""
        return {variable: norms.log10().transpose(0, 1) for variable, norms in self.scaled.items()}
