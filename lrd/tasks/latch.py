"""Latch: the first few steps say which of two classes a sequence is of, noise follows, the class is asked for last.

Source: Bengio, Simard, Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult", the
minimal task of one unit, x_t = tanh(w x_{t-1} + h_t). Theirs: T steps in all; the class stands in the inputs h_t of the
first L steps and in nothing else; all later ones are Gaussian noise of mean 0 and deviation s; at the end the unit is
to be at .8 or -.8; squared error. h_1..h_L are parameters of each class there, learned with w and without noise.

Ours, so that any cell can be trained on it: the class is shown as the value +1 or -1 at L steps, by which input
weights and bias can make any h_t (the same for these L steps, opposite for the classes but for the bias); the answer is
read from the state by the linear readout; the error is not halved. L = 3 and s = .2 by default.

T is ``gap``, L is ``class_steps``, s is ``noise``. What constant input against its state a latched unit withstands is
known in closed form: w sqrt(1 - 1/w) - artanh sqrt(1 - 1/w) for w > 1 (``tests/gradients/test_latch_theory.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import NEVER, Likelihoods, alike
from lrd.tasks.streams import Stream

TARGET = 0.8
TOLERANCE = 0.4  # the sign alone would be right in half of all untrained networks that let it through


@dataclass(frozen=True)
class Latch(Task):
    """Answer at the last of ``gap`` steps which sign the first ones had. The module says what differs from 1994."""

    gap: int = option(20, "length of a sequence (T); more than class_steps", ge=2)
    class_steps: int = option(3, "steps at the beginning that show the class (L)", ge=1)
    noise: float = option(0.2, "standard deviation of the inputs after them (s)", ge=0)

    name = "latch"
    classification = False
    criterion = "fewer than 1 % of sequences with an answer nearer to 0 than to its target (lrd's own)"
    answers = 1
    input_size = output_size = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap <= self.class_steps:
            raise OptionError("gap", f"must be > class_steps ({self.class_steps}), got {self.gap}")

    @property
    def sequence_length(self) -> int:
        return self.gap

    @property
    def smallest_lag(self) -> int:
        return self.gap - self.class_steps

    @property
    def largest_lag(self) -> int:
        return self.gap - 1

    @property
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.gap)

    @property
    def quiet_steps(self) -> range:
        """The steps from the last one that shows the class to the one before the answer."""
        return range(self.class_steps - 1, self.gap - 1)

    @property
    def likelihoods(self) -> Likelihoods:
        """Real numbers, which do not come again; the two classes alone where there is no noise."""
        return NEVER if self.noise > 0 else alike(math.log(2))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        signs = (2 * stream.integers(2, 1, batch_size) - 1).transpose(0, 1).float()  # [1, runs, batch]
        noise = stream.normal(self.gap - self.class_steps, batch_size).transpose(0, 1) * self.noise
        inputs = torch.cat((signs.expand(self.class_steps, -1, -1), noise))
        return Batch(inputs.unsqueeze(3), (TARGET * signs).unsqueeze(3))

    def shown(self, batch: Batch) -> list[Item]:
        """Return the class, at the last step that shows it."""
        values = (batch.targets[0, ..., 0] > 0).long()
        return [Item("class", values, torch.full_like(values, self.class_steps - 1), 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``error_share``, the share of answers that are off by half of the target or more."""
        wrong = ~((outputs - batch.targets).abs() < TOLERANCE).squeeze(3)
        return {"loss": self.loss(outputs, batch), "error_share": over_steps_and_batch(wrong.float())}

    def chance(self) -> dict[str, float]:
        """Return the levels of the best constants.

        For the loss it is 0, the mean of the two targets; for ``error_share`` either target, which is wrong for half of
        the sequences.
        """
        return {"loss": TARGET**2, "error_share": 0.5}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["error_share"] < 0.01
