"""Third spike: two spikes come, and the output has to spike as long after the second as that came after the first.

Input and target are 1 at a spike and 0 else; the spikes stand at t, t + D and, in the target, t + 2 D. D is uniform in
``gap``..``gap + spread``, t over all places that leave room for three spikes in ``2 (gap + spread) + room`` steps. By
default these are 150 steps, with D from 30 to 60. The output is linear, with squared error at every step. A sequence is
right where, of the outputs behind the second spike, that at t + 2 D is the largest.

Source: a public replication of the spike delays of Gers, Schraudolph & Schmidhuber 2002, whose own task is another one
(``lrd/tasks/spike_delays.py``). With 8 units, batches of 32, Adam at 0.005, halved after half of 3,000 updates, it has
a share of .881 right with peepholes and .873 without, over seven seeds from .60 to 1. Its loss is half the sum over
steps, where lrd's is the mean: to clip its gradient at norm 1 is to clip lrd's at 2 over the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class ThirdSpike(Task):
    """Repeat the distance of two spikes, by a third one. The module says where they stand."""

    gap: int = option(30, "smallest distance of two spikes, in steps", ge=2)
    spread: int = option(30, "how much larger the largest distance is", ge=1)
    room: int = option(30, "steps of a sequence beyond twice the largest distance", ge=1)

    name = "third_spike"
    classification = False
    criterion = "at least 99 % of sequences have the third spike at its step (lrd's own)"

    @property
    def sequence_length(self) -> int:
        return 2 * (self.gap + self.spread) + self.room

    @property
    def smallest_lag(self) -> int:
        return self.gap  # from the second spike

    @property
    def largest_lag(self) -> int:
        return 2 * (self.gap + self.spread)  # from the first one

    @property
    def loss_steps(self) -> range:
        return range(self.sequence_length)

    @property
    def answers(self) -> int:
        return 1

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the step of the third spike."""
        if answer not in (0, -1):
            raise IndexError(f"third_spike has one answer, asked for number {answer}")
        return batch.targets[..., 0].argmax(0)

    @property
    def quiet_steps(self) -> range:
        """The steps between the second spike and the third that every sample has, in steps of the longest."""
        last = self.loss_steps[-1]
        return range(last - self.gap, last)

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return 1

    @property
    def distances(self) -> range:
        """Every distance of two spikes."""
        return range(self.gap, self.gap + self.spread + 1)

    @property
    def likelihoods(self) -> Likelihoods:
        """Every distance is as likely, and every place that it leaves to the first spike."""
        kinds = len(self.distances)
        return [(1 / kinds, -math.log(kinds) - math.log(self.sequence_length - 2 * d)) for d in self.distances]

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        distance = stream.integers(len(self.distances), batch_size) + self.gap  # [runs, batch]
        first = stream.integers((self.sequence_length - 2 * distance)[:, None], 1, batch_size)[:, 0]
        inputs = torch.zeros(self.sequence_length, *distance.shape, 1, device=distance.device)
        targets = torch.zeros_like(inputs)
        inputs.scatter_(0, torch.stack([first, first + distance]).unsqueeze(3), 1.0)
        targets.scatter_(0, (first + 2 * distance)[None, ..., None], 1.0)
        return Batch(inputs, targets)

    def _second(self, batch: Batch) -> tuple[Int[Tensor, "runs batch"], Int[Tensor, "runs batch"]]:
        """Return the step of the second spike, and its distance from the first."""
        first = batch.inputs[..., 0].argmax(0)
        distance = (self.answer_steps(batch, -1) - first) // 2
        return first + distance, distance

    def shown(self, batch: Batch) -> list[Item]:
        """Return the distance, known with the second spike."""
        second, distance = self._second(batch)
        return [Item("distance", distance.float(), second)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``accuracy``, the share of sequences with the largest output at the right step."""
        steps = torch.arange(self.sequence_length, device=outputs.device)[:, None, None]
        behind, target = steps > self._second(batch)[0], batch.targets[..., 0] == 1
        others = torch.where(behind & ~target, outputs[..., 0], -torch.inf).amax(0)
        said = outputs[..., 0].gather(0, self.answer_steps(batch, -1)[None])[0]
        return {"loss": self.loss(outputs, batch), "accuracy": (said > others).float().mean(-1)}

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best answer that sees the present input alone.

        Of the T - 2 silent steps of a sequence one has the target 1, so that this answer is 1 / (T - 2) at each of
        them, and 0 at the spikes. No silent step then has a larger output than the others.
        """
        length = self.sequence_length
        share = 1 / (length - 2)
        return {"loss": (1 - share) / length, "accuracy": 0.0}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["accuracy"] >= 0.99
