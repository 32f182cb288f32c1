"""Memory capacity as a task: independent numbers, all of the last ``gap`` of which are asked for at every step.

Source: Jaeger 2001, "Short term memory in echo state networks": numbers u_t uniform in [-1/2, 1/2], one linear output
for each delay k = 1..gap, and the capacity MC = sum over k of r^2(u_{t-k}, output k). A state of n units cannot have
more than n, so that a gap beyond the number of units cannot be solved: what is left is the share
of the past that fits. There only readouts are trained, as by the probe of the same name; here the whole network is.

Ours: ``gap`` steps without an answer, until all delays exist, and then ``steps`` scored ones. r^2 is that of the
sequences judged together, on which nothing is fitted, so that the bound holds for it but for chance correlations: an
output without any relation to its number gets 1 / (sequences * steps) in expectation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item, spread
from lrd.tasks.overlap import NEVER, Likelihoods
from lrd.tasks.streams import Stream

VARIANCE = 1 / 12


@dataclass(frozen=True)
class ScalarMemory(Task):
    """At each of ``steps`` steps answer the last ``gap`` numbers, one an output."""

    gap: int = option(10, "largest delay, and number of outputs", ge=1)
    steps: int = option(50, "steps that are scored, after as many as the largest delay", ge=1)

    name = "memory_capacity"
    classification = False
    criterion = "skill >= 0.99 (lrd's own: the capacity is published as it is)"
    input_size = 1

    @property
    def sequence_length(self) -> int:
        return self.gap + self.steps

    @property
    def smallest_lag(self) -> int:
        return 1

    @property
    def largest_lag(self) -> int:
        return self.gap

    @property
    def loss_steps(self) -> range:
        return range(self.gap, self.sequence_length)

    @property
    def answers(self) -> int:
        return self.steps

    @property
    def quiet_steps(self) -> range:
        """The ``gap`` steps before the last answer, from the first one that it asks for."""
        last = self.sequence_length - 1
        return range(last - self.gap, last)

    @property
    def output_size(self) -> int:
        return self.gap

    @property
    def likelihoods(self) -> Likelihoods:
        """Return ``NEVER``: real numbers do not come again."""
        return NEVER

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        u = stream.uniform(self.sequence_length, batch_size).transpose(0, 1).contiguous() - 0.5  # [time, runs, batch]
        past = u[:-1].unfold(0, self.gap, 1).flip(-1)  # output k - 1 at scored step t is u_{t-k}
        return Batch(u.unsqueeze(3), past)

    def shown(self, batch: Batch) -> list[Item]:
        """Return up to ten of the numbers that the last answer asks for, the latest and the earliest among them."""
        last, values = self.answer_steps(batch, -1), batch.targets[-1]
        return [Item(f"delay {k + 1}", values[..., k], last - 1 - k) for k in spread(self.gap, 10)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``skill`` (1 - loss / variance) and ``capacity``, the sum over delays of r^2.

        No scale or offset of an output changes its r^2; an output that never changes has r = 0.
        """
        loss = self.loss(outputs, batch)
        return {"loss": loss, "skill": 1 - loss / VARIANCE, "capacity": _capacity(outputs, batch.targets)}

    def chance(self) -> dict[str, float]:
        """Return the levels of answering 0, the mean: the present number says nothing of those before it."""
        return {"loss": VARIANCE, "skill": 0.0, "capacity": 0.0}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["skill"] >= 0.99


def _capacity(
    outputs: Float[Tensor, "steps runs batch outputs"], targets: Float[Tensor, "steps runs batch outputs"]
) -> Float[Tensor, "runs"]:
    """Return the sum over outputs of the squared correlation with the target, over steps and batch."""

    def centred(values: Tensor) -> Tensor:
        rows = values.double().permute(1, 3, 0, 2).flatten(2).contiguous()  # [runs, outputs, steps * batch]
        return rows - rows.mean(-1, keepdim=True)

    x, y = centred(outputs), centred(targets)
    both, alone = (x * y).mean(-1).square(), x.square().mean(-1) * y.square().mean(-1)
    return torch.where(alone == 0, 0.0, both / alone).sum(-1).to(outputs.dtype)
