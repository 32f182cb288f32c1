"""Base of recall tasks: items out of an alphabet are shown, and asked for in order at the end.

One numbering serves all of them, for inputs and classes: 0 blank, 1..symbols the symbols, symbols + 1 the cue.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping

import torch

from lrd.shapes import Bool, Float, Int, Num, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods, alike


class Recall(Task):
    """Base of tasks that show ``items`` out of ``symbols`` symbols and ask for them, in order, at the last steps.

    By default the items stand at the first steps, ``gap`` steps before the first recall step.
    """

    classification = True
    criterion = "recall accuracy >= 0.99 (lrd's own: no threshold is published)"

    @property
    @abstractmethod
    def items(self) -> int:
        """Number of symbols to remember."""

    @property
    @abstractmethod
    def symbols(self) -> int:
        """Size of the alphabet that items are drawn from."""

    @property
    def sequence_length(self) -> int:
        return self.gap + 2 * self.items

    @property
    def smallest_lag(self) -> int:
        return self.gap + self.items

    @property
    def largest_lag(self) -> int:
        return self.gap + self.items

    @property
    def answers(self) -> int:
        return self.items

    @property
    def quiet_steps(self) -> range:
        """The ``gap`` steps after the last item and before the first recall step."""
        return range(self.items, self.gap + self.items)

    @property
    def input_size(self) -> int:
        return self.symbols + 2

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of items, all as likely."""
        return alike(self.items * math.log(self.symbols))

    def shown(self, batch: Batch) -> list[Item]:
        """Return the items, each at the step that shows it."""
        drawn = self.at_answers(batch.targets, batch) - 1
        return [
            Item(f"item {k + 1}", values, torch.full_like(values, k), self.symbols) for k, values in enumerate(drawn)
        ]

    def at_answers(self, values: Num[Tensor, "steps runs batch"], batch: Batch) -> Num[Tensor, "items runs batch"]:
        """Return the values that stand at the answers, of values at the loss steps."""
        if batch.weights is None:
            return values[-self.items :]
        steps = torch.stack([self.answer_steps(batch, answer) for answer in range(self.items)])
        return values.gather(0, steps - self.loss_steps.start)

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure the loss over the loss steps, and three measures over the recall steps alone.

        ``recall_loss``; ``recall_accuracy``, the share of items that are right; ``sequence_accuracy``, the share of
        sequences with every item right. Never accuracy over all steps: answering blank throughout reaches 99 % of it at
        a gap of 1000.
        """
        losses = self.losses(outputs, batch.targets)
        right = self.at_answers((outputs.argmax(-1) == batch.targets).float(), batch)
        return {
            "loss": self.averaged(losses, batch),
            "recall_loss": over_steps_and_batch(self.at_answers(losses, batch)),
            "recall_accuracy": over_steps_and_batch(right),
            "sequence_accuracy": right.amin(0).mean(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return the levels of answering blank with certainty before recall, then each symbol with equal probability.

        Only recall costs anything: ``items * ln(symbols)`` in all, spread over the loss steps.
        """
        uniform = math.log(self.symbols)
        return {
            "loss": self.items * uniform / len(self.loss_steps),
            "recall_loss": uniform,
            "recall_accuracy": 1 / self.symbols,
            "sequence_accuracy": self.symbols**-self.items,
        }

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["recall_accuracy"] >= 0.99


def one_hot(codes: Int[Tensor, "time runs batch"], size: int) -> Float[Tensor, "time runs batch {size}"]:
    """Return 1 at the code's place among ``size`` inputs and 0 elsewhere."""
    inputs = torch.zeros(*codes.shape, size, device=codes.device)
    return inputs.scatter_(3, codes.unsqueeze(3), 1.0)
