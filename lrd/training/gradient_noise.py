"""The noise of Neelakantan et al. (2015), "Adding gradient noise improves learning for very deep networks".

Eq. 1 there: to the gradient of step t comes normal noise of variance eta / (1 + t)^gamma, gamma = 0.55, after clipping.
Here t counts from 0, so that the first update has the variance eta. The noise of an update is a function of the run's
seed and the number of the update, drawn where no other random words of training are (``lrd.tasks.streams.ASIDES``).
"""

from __future__ import annotations

import torch

from lrd.shapes import Float, Int, Tensor
from lrd.tasks.streams import Stream


def noisy(
    grad: Float[Tensor, "runs parameters"],
    seeds: Int[Tensor, "runs"],
    step: Int[Tensor, ""],
    eta: Float[Tensor, "runs 1"],
    gamma: Float[Tensor, "runs 1"],
) -> Float[Tensor, "runs parameters"]:
    """Return gradients with noise.

    Args:
        grad: The gradient of each run, clipped.
        seeds: The seed of each run.
        step: The number of updates before this one.
        eta: The variance of the noise of the first update.
        gamma: How fast it falls.
    """
    # Not by a power, whose last bit depends on where in a tensor, and so in which pack, a number stands.
    falls = torch.exp(-gamma.double() * torch.log1p(step.double()))
    deviation = (eta.double() * falls).sqrt().to(grad.dtype)
    drawn = Stream(seeds, "train", step.expand(len(seeds)), aside="gradient_noise").normal(grad.shape[1])
    return grad + deviation * drawn.to(grad.dtype)
