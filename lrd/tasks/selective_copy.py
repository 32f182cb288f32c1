"""Selective copying: the items stand at random places among blanks, so that their distance says nothing.

Source: Gu & Dao 2023, "Mamba", and the public generator of its authors: of ``gap + items`` steps a random ``items``,
every choice as likely as any other, show a symbol each, the others are blank; on the last ``items`` steps the cue is
shown and the symbols are asked for in order; cross-entropy over these steps alone. Inputs and classes are those of
``copy`` in its convention gu2020: blank, symbols and cue, the first and last of which are never the answer.
The paper has 16 items and a vocabulary of 16, blank and cue among it: ``task.items=16 task.symbols=14 task.gap=4080``
makes 4096 steps before recall. The defaults are those of ``copy``, to stand beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Tensor
from lrd.tasks.base import Batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.recall import Recall, one_hot
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class SelectiveCopy(Recall):
    """Repeat in order ``items`` symbols that were shown at random places among ``gap`` blanks."""

    gap: int = option(20, "blanks among which the items stand", ge=1)
    items: int = option(10, "symbols to remember", ge=1)
    symbols: int = option(8, "size of the alphabet that items are drawn from", ge=2)

    name = "selective_copy"

    @property
    def smallest_lag(self) -> int:
        return self.items

    @property
    def loss_steps(self) -> range:
        return range(self.gap + self.items, self.sequence_length)

    @property
    def quiet_steps(self) -> range:
        """All steps before the last answer: an item may stand at any step before recall."""
        return range(0, self.loss_steps[-1])

    @property
    def output_size(self) -> int:
        return self.symbols + 2

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of items at every choice of places, all as likely."""
        places = math.comb(self.gap + self.items, self.items)
        return alike(self.items * math.log(self.symbols) + math.log(places))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        items = (stream.integers(self.symbols, self.items, batch_size).transpose(0, 1) + 1).contiguous()
        codes = items.new_zeros(self.sequence_length, *items.shape[1:])
        before = self.loss_steps.start
        # The places of the smallest words; the place itself makes all words different, so that there are no ties.
        words = stream.integers(2**31, before, batch_size) * before
        words += torch.arange(before, device=words.device)[:, None]
        places = words.topk(self.items, dim=1, largest=False).indices.sort(1).values  # [runs, items, batch]
        codes.scatter_(0, places.transpose(0, 1), items)
        codes[before:] = self.symbols + 1
        return Batch(one_hot(codes, self.input_size), items)

    def shown(self, batch: Batch) -> list[Item]:
        """Return the items, each at the step where its sequence shows it."""
        blank = batch.inputs[: self.loss_steps.start, ..., 0].to(torch.int8)  # [time, runs, batch]
        places: Tensor = blank.argsort(dim=0, stable=True)[: self.items]
        return [
            Item(f"item {k + 1}", values - 1, steps, self.symbols)
            for k, (values, steps) in enumerate(zip(batch.targets, places, strict=True))
        ]
