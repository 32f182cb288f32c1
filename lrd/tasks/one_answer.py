"""Base of tasks that ask once, at the last step of each sample, whether samples are equally long or not."""

from __future__ import annotations

from abc import abstractmethod

import torch

from lrd.shapes import Float, Int, Num, Tensor
from lrd.tasks.base import Batch, Task


class OneAnswer(Task):
    """Base of tasks with one answer in each sample, at its own last step; what lies behind it is padding."""

    @property
    @abstractmethod
    def least_length(self) -> int:
        """Number of steps of the shortest sequence."""

    @property
    def loss_steps(self) -> range:
        return range(self.least_length - 1, self.sequence_length)

    @property
    def answers(self) -> int:
        return 1

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        if batch.weights is None:
            return super().answer_steps(batch, answer)
        if answer not in (0, -1):
            raise IndexError(f"{self.name} has one answer, asked for number {answer}")
        return batch.weights.argmax(0) + self.loss_steps.start

    @property
    def quiet_steps(self) -> range:
        """The steps before the answer by which every sample has shown all that it asks for, in steps of the longest."""
        last = self.loss_steps[-1]
        return range(last - self.smallest_lag, last)

    def ends(self, lengths: Int[Tensor, "runs batch"]) -> Float[Tensor, "steps runs batch"]:
        """Return the weights of a batch: 1 at the last step of each sample, else 0.

        Args:
            lengths: number of steps of each sample.
        """
        steps = torch.arange(self.loss_steps.start, self.loss_steps.stop, device=lengths.device)
        return (steps[:, None, None] == lengths - 1).float()

    def at_every_loss_step(
        self, answers: Num[Tensor, "runs batch *outputs"]
    ) -> Num[Tensor, "steps runs batch *outputs"]:
        """Return the targets of a batch: each sample's answer, at all steps that may be its last."""
        return answers.expand(len(self.loss_steps), *answers.shape)

    def at_answer(
        self, values: Num[Tensor, "steps runs batch *outputs"], batch: Batch
    ) -> Num[Tensor, "runs batch *outputs"]:
        """Return the values at each sample's answer, of values at the loss steps (outputs or targets)."""
        if batch.weights is None:
            return values[-1]
        last = batch.weights.argmax(0, keepdim=True)
        last = last.view(*last.shape, *[1] * (values.ndim - last.ndim)).expand(1, *values.shape[1:])
        return values.gather(0, last)[0]
