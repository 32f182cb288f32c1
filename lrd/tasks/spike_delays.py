"""Measuring spike delays: at each spike, say by how many steps it came later than it could have come.

The input is 1 at a spike and 0 else. Spike n comes T(n) steps into the stream, and is asked for I(n) as it comes::

    T(1) = F + I(1),   T(n) = T(n - 1) + F + I(n),   I(n) at random from {0, 1, ..., spread} or {0, spread}

F is ``gap``. The squared error is taken at the spikes alone. Source: Gers, Schraudolph & Schmidhuber 2002, "Learning
precise timing with LSTM recurrent networks": NMSD is ``intervals`` = 1, a network that is reset at every spike; MSD is
a stream of spikes without a reset, 100 of them in training and 1000 in the test. The paper's output is logistic for the
delays 0 and 1 and linear for others; ``linear`` makes it linear for 0 and 1 too, which the paper compares. A delay
counts as measured where the error is below 0.49.

Our readings: the beginning of a stream counts as a spike that is not shown; silent steps have no target. The paper ends
a stream at its first error; here each has the same number of spikes, and all of them are scored.

A network that is trained at one F counts a delay from that F on. At another gap (``evaluation.gaps``) delays count from
there, which it cannot know: its answers are off by the difference of the gaps.
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
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.streams import Stream

TOLERANCE = 0.49  # errors from here on are wrong; 0.5 would be another delay


@dataclass(frozen=True)
class SpikeDelays(Task):
    """Measure at each spike how much longer than ``gap`` steps it took to come. The module says how they come."""

    gap: int = option(50, "least steps from spike to spike (F)", ge=2)
    spread: int = option(1, "largest delay beyond the gap, in steps", ge=1)
    offsets: str = option("all", "which delays there are: 0 to the largest, or these two", choices=("all", "ends"))
    intervals: int = option(10, "spikes of a sequence; 1: NMSD, 100: MSD of the paper", ge=1)
    linear: bool = option(False, "a linear output also for the delays 0 and 1, where the paper's is logistic")

    name = "spike_delays"
    classification = False
    criterion = f"every delay measured with an error below {TOLERANCE} (Gers et al. 2002: 1000 spikes in a row)"

    @property
    def logistic(self) -> bool:
        return self.spread == 1 and not self.linear

    @property
    def kinds(self) -> int:
        """Number of different delays."""
        return 2 if self.offsets == "ends" else self.spread + 1

    @property
    def sequence_length(self) -> int:
        return self.intervals * (self.gap + self.spread)

    @property
    def smallest_lag(self) -> int:
        return self.gap - 1  # from the first step to the first spike; from spike to spike it is one more

    @property
    def largest_lag(self) -> int:
        return self.gap + self.spread - (1 if self.intervals == 1 else 0)

    @property
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.sequence_length)

    @property
    def answers(self) -> int:
        return self.intervals

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the step of one of the spikes."""
        assert batch.weights is not None
        number = range(self.intervals)[answer]
        return (batch.weights.long().cumsum(0) <= number).sum(0) + self.loss_steps.start

    @property
    def quiet_steps(self) -> range:
        """The steps that lie in every sample between the last two spikes, in steps of the longest."""
        last = self.loss_steps[-1]
        return range(last - self.smallest_lag, last)

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return 1

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of delays, all as likely."""
        return alike(self.intervals * math.log(self.kinds))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        delays = stream.integers(self.kinds, self.intervals, batch_size).transpose(0, 1)  # [intervals, runs, batch]
        if self.offsets == "ends":
            delays = delays * self.spread
        spikes = (delays + self.gap).cumsum(0) - 1
        inputs = torch.zeros(self.sequence_length, *delays.shape[1:], 1, device=delays.device)
        targets = torch.zeros_like(inputs)
        inputs.scatter_(0, spikes.unsqueeze(3), 1.0)
        targets.scatter_(0, spikes.unsqueeze(3), delays.unsqueeze(3).float())
        scored = slice(self.loss_steps.start, None)
        return Batch(inputs, targets[scored], inputs[scored, ..., 0].clone())

    def shown(self, batch: Batch) -> list[Item]:
        """Return the last delay, shown from the spike before it on, or from the first step where there is none.

        Samples are aligned at their last spike. So the delay can be read from a state that counts the steps since the
        spike before.
        """
        last = self.answer_steps(batch, -1)
        before = self.answer_steps(batch, -2) if self.intervals > 1 else torch.zeros_like(last)
        delays = batch.targets[..., 0].gather(0, (last - self.loss_steps.start)[None])[0]
        return [Item("last delay", delays, before)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``accuracy`` and ``sequence_accuracy``.

        ``accuracy`` is the share of delays measured with an error below 0.49, ``sequence_accuracy`` the share of
        sequences in which all are.
        """
        assert batch.weights is not None
        measured = (self.answered(outputs) - batch.targets).abs().squeeze(3) < TOLERANCE  # never true of nan
        return {
            "loss": self.loss(outputs, batch),
            "accuracy": self.averaged(measured.float(), batch),
            "sequence_accuracy": (measured | (batch.weights == 0)).all(0).float().mean(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best constant, since all spikes look the same.

        The mean leaves the variance: ``spread (spread + 2) / 12`` of 0 to ``spread``, ``spread^2 / 4`` of the two ends.
        No constant is within 0.49 of two delays, so that one of K is measured, and one of K^intervals lists of them.
        """
        variance = self.spread**2 / 4 if self.offsets == "ends" else self.spread * (self.spread + 2) / 12
        return {"loss": variance, "accuracy": 1 / self.kinds, "sequence_accuracy": self.kinds**-self.intervals}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["sequence_accuracy"] == 1
