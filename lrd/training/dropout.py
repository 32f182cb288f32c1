"""Dropout between the layers of a network (Srivastava et al. 2014; in recurrent networks, Zaremba et al. 2014).

As in torch's stacked modules, what a layer hands to the next one is multiplied by 0 with probability p and by 1/(1-p)
otherwise, anew at every step, unit and sample; states that go from step to step are left alone, and so is what the
readout sees. Evaluations and probes see the whole network.
"""

from __future__ import annotations

import torch

from lrd.kernels.layers import Dropout
from lrd.shapes import Float, Tensor
from lrd.tasks.streams import Stream

_LEVELS = 2**16  # p is rounded to this grid: a mask takes 16 random bits a number


def dropout(stream: Stream, share: Float[Tensor, "runs"], gaps: int, shape: tuple[int, int, int]) -> Dropout:
    """Return what is done to the h that go from layer to layer: the same for the same words of the stream.

    Args:
        stream: The random words of the update.
        share: p of each run.
        gaps: How many layers have one above them.
        shape: Steps, samples and features.

    Returns:
        A function of steps, a layer's number and its h [steps, runs, batch, features].
    """
    level = (share * _LEVELS).round().clamp(max=_LEVELS - 1)
    least = (level - _LEVELS // 2).to(torch.int32)[:, None, None, None]
    scale = (_LEVELS / (_LEVELS - level))[:, None, None, None]
    kept = [stream.sixteen_bits(*shape) >= least for _ in range(gaps)]

    def between(steps: slice, layer: int, h: Tensor) -> Tensor:
        return h * torch.where(kept[layer - 1][:, steps], scale, 0.0).to(h.dtype).transpose(0, 1)

    return between
