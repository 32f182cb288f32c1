"""Random permutation: of a long sequence of unrelated symbols the first must be said at the end.

Sources: Martens & Sutskever 2011, "Learning recurrent neural networks with Hessian-free optimization", supplement;
Pascanu, Mikolov, Bengio 2013, supplement and public code. As in that code: 100 symbols; the first of ``gap`` steps
shows one of two of them, every other step one of the remaining 98, each drawn by itself with replacement (no
permutation, in spite of the name, and so any length will do); the network has a class for each of the 100 and is asked
for the symbol that comes next after the last step, which is the first one once more. The loss is taken there alone:
what comes next after any other step is one of 98 symbols, ln 98 whatever is remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.recall import one_hot
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class Permutation(Task):
    """Say at the last of ``gap`` steps which of two symbols stood at the first."""

    gap: int = option(100, "length of a sequence", ge=2)
    symbols: int = option(100, "size of the alphabet: two that are asked for, the others only get in the way", ge=3)

    name = "permutation"
    classification = True
    criterion = "fewer than 1 % of sequences answered wrongly (Pascanu et al. 2013: 10,000 sequences)"
    answers = 1

    @property
    def sequence_length(self) -> int:
        return self.gap

    @property
    def smallest_lag(self) -> int:
        return self.gap - 1

    @property
    def largest_lag(self) -> int:
        return self.gap - 1

    @property
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.gap)

    @property
    def input_size(self) -> int:
        return self.symbols

    @property
    def output_size(self) -> int:
        return self.symbols

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of symbols, all as likely."""
        return alike(math.log(2) + (self.gap - 1) * math.log(self.symbols - 2))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        first = stream.integers(2, 1, batch_size)
        others = stream.integers(self.symbols - 2, self.gap - 1, batch_size) + 2
        codes = torch.cat((first, others), 1).transpose(0, 1)  # [time, runs, batch]
        return Batch(one_hot(codes, self.symbols), codes[:1].contiguous())

    def shown(self, batch: Batch) -> list[Item]:
        """Return which of the two symbols stands at the first step."""
        values = batch.targets[0]
        return [Item("first symbol", values, torch.zeros_like(values), 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``error_share``, the share of sequences whose answer is wrong, as nan is."""
        wrong = (outputs.argmax(-1) != batch.targets) | outputs.isnan().any(-1)
        return {"loss": self.loss(outputs, batch), "error_share": over_steps_and_batch(wrong.float())}

    def chance(self) -> dict[str, float]:
        """Return the levels of probability 1/2 for each of the two symbols that can be the answer."""
        return {"loss": math.log(2), "error_share": 0.5}

    def landmarks(self) -> dict[str, float]:
        """Return ``all symbols alike``: not even the two that can be asked for are known."""
        return {"all symbols alike": math.log(self.symbols)}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["error_share"] < 0.01
