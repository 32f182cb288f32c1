"""Copying memory with a gap that differs by sample, uniform in 1..gap: counting steps to the recall does not help.

Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", variable copy task. Cue, input, classes and
loss steps are those of ``copy`` in its convention arjovsky2016, with each sample's own gap g: items, g - 1 blanks, the
cue, recall, ``g + 2 * items`` steps in all. Ours: the loss is each sample's mean over its own steps, and shorter
samples are padded with zero vectors (not with blanks) behind their last answer, which weigh nothing.

Our reading: it is the paper's copy task, whose T has T - 1 blanks before the cue, with T drawn from 1..gap, so that the
longest sample is that of ``copy`` at the same gap: 0 to gap - 1 blanks. Word for word the paper draws "the number of
characters between the end of the sequence to copy and the signal character" between 1 and T, which is one more:
``least_blanks=1``. (A public re-implementation says the same and draws something else: T - 1 blanks before the cue in
all, and 1 to T behind it.)

The copy task of the neural Turing machine (Graves, Wayne, Danihelka 2014) is another one: there the length of the list
varies, and there is no gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Int, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.recall import Recall, one_hot
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class VariableCopy(Recall):
    """Remember ``items`` symbols over 1 to ``gap`` steps, until the cue comes, and repeat them in order.

    With ``least_blanks`` = 1 they are 2 to ``gap + 1`` steps.
    """

    gap: int = option(20, "most steps between the last item and the first recall step; each sample has its own", ge=1)
    items: int = option(10, "symbols to remember", ge=1)
    symbols: int = option(8, "size of the alphabet that items are drawn from", ge=2)
    least_blanks: int = option(
        0, "fewest blanks before the cue; 1: one more in every sample, the paper word for word", ge=0, le=1, switch=True
    )

    name = "variable_copy"

    @property
    def sequence_length(self) -> int:
        return super().sequence_length + self.least_blanks

    @property
    def smallest_lag(self) -> int:
        return 1 + self.least_blanks + self.items

    @property
    def largest_lag(self) -> int:
        return super().largest_lag + self.least_blanks

    @property
    def loss_steps(self) -> range:
        return range(self.sequence_length)

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        assert batch.weights is not None
        before_end = range(self.items, 0, -1)[answer]
        return batch.weights.sum(0).long() - before_end

    @property
    def quiet_steps(self) -> range:
        """The ``2 * items`` steps before the last answer, which every sample has; in steps of the longest.

        No more than one or two of them lie in every sample between the items and the recall: no slope is judged by two
        steps.
        """
        last = self.loss_steps[-1]
        return range(last - 2 * self.items, last)

    @property
    def output_size(self) -> int:
        return self.symbols + 1

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of items, at every distance from the cue."""
        return alike(self.items * math.log(self.symbols) + math.log(self.gap))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        items = stream.integers(self.symbols, self.items, batch_size).transpose(0, 1) + 1  # [items, runs, batch]
        recall = stream.integers(self.gap, batch_size) + self.smallest_lag  # the first recall step [runs, batch]
        codes = items.new_zeros(self.sequence_length, *recall.shape)
        asked = torch.arange(self.items, device=items.device)[:, None, None] + recall
        targets = codes.scatter(0, asked, items)
        codes[: self.items] = items
        codes.scatter_(0, recall[None] - 1, self.symbols + 1)
        steps = torch.arange(self.sequence_length, device=items.device)[:, None, None]
        weights = (steps < recall + self.items).float()
        return Batch(one_hot(codes, self.input_size).mul_(weights.unsqueeze(3)), targets, weights)

    def chance(self) -> dict[str, float]:
        """Return the levels of answering blank before recall, then each symbol with equal probability, as for ``copy``.

        The loss is averaged over the lengths: ``items * ln(symbols)`` times the mean of 1 / length.
        """
        lengths = range(self.smallest_lag + self.items, self.sequence_length + 1)
        per_step = math.fsum(1 / length for length in lengths) / len(lengths)
        return super().chance() | {"loss": self.items * math.log(self.symbols) * per_step}
