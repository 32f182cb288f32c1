"""Parts of real data by split: parts share nothing, so that what is fitted is never what is scored.

Generated tasks draw without end, and other random words are as good as other data where sequences are many (how often
they come again: ``lrd.tasks.overlap``). Real data end: each split has a part of its own, and so has each number modulo
3 of the probe batches, since probes that fit something (``retention``) fit it to one number and score it on another.
"""

from __future__ import annotations

import torch

from lrd.shapes import Int, Tensor
from lrd.tasks.streams import SPLITS, Stream

#: Parts of the probe split, one for each number of a batch modulo this.
PROBED = 3
PARTS = len(SPLITS) - 1 + PROBED


def parts_of(split: str) -> slice:
    """Return the numbers of the parts of a split; probes have several."""
    first = SPLITS[split]
    return slice(first, PARTS if split == "probe" else first + 1)


def part_number(stream: Stream) -> Int[Tensor, "runs_or_1 1"]:
    """Return the part of each run: 0 train, 1 eval, 2 test, 3 and on probe; one row where all runs have the same."""
    part = SPLITS[stream.split]
    if stream.split == "probe":
        return part + torch.as_tensor(stream.step, device=stream.seeds.device).reshape(-1, 1) % PROBED
    return torch.full((1, 1), part, device=stream.seeds.device)
