"""The two-sequence problem: a class shown by the first inputs, then noise on the same line, then the question.

One input a step. The first ``informative`` (N) steps show 1 for class 1 and -1 for class 2; all later ones are Gaussian
noise of mean 0 and variance 0.2. Sequences have a length uniform in T..T + T // 10, T is ``gap``, and at the last step
the class is asked for, by one logistic output with squared error.

==============  ===================================  ==============================  ================================
convention      the first N inputs                   targets, class 1 and class 2    solved
==============  ===================================  ==============================  ================================
clean           exactly 1 or -1                      1, 0                            none wrong, mean error < .01
noisy_inputs    with noise of variance .2 added      1, 0                            under 6 of 256, mean error < .04
noisy_targets   exactly 1 or -1                      .2, .8, with noise of variance  none wrong, mean error < .015
                                                     .1 added
==============  ===================================  ==============================  ================================

Source: Hochreiter & Schmidhuber 1997, experiments 3a, 3b and 3c, after Bengio, Simard, Frasconi 1994. Wrong is an
output that is off by 0.2 or more, with noisy targets by 0.1 or more from the target without its noise, from which mean
errors are measured too. Their test sets hold 256 sequences. Criteria are their last ones (ST2), in shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.items import Item
from lrd.tasks.one_answer import OneAnswer
from lrd.tasks.overlap import NEVER, Likelihoods
from lrd.tasks.streams import Stream

INPUT_VARIANCE, TARGET_VARIANCE = 0.2, 0.1
# For each convention: the targets of both classes, the least error that is wrong, bounds of the criterion.
_TARGETS = {"clean": (1.0, 0.0), "noisy_inputs": (1.0, 0.0), "noisy_targets": (0.2, 0.8)}
_WRONG_FROM = {"clean": 0.2, "noisy_inputs": 0.2, "noisy_targets": 0.1}
_MEAN_ERROR = {"clean": 0.01, "noisy_inputs": 0.04, "noisy_targets": 0.015}


@dataclass(frozen=True)
class TwoSequence(OneAnswer):
    """Answer the class that the first inputs showed. The module says what each convention is."""

    gap: int = option(100, "least length of a sequence (T)", ge=2)
    convention: str = option("clean", "where noise is added: experiment 3a, 3b or 3c", choices=tuple(_TARGETS))
    informative: int = option(3, "first inputs that show the class (N)", ge=1)

    name = "two_sequence"
    classification = False
    logistic = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap <= self.informative:
            raise OptionError("gap", f"must be > {self.informative}, the number of informative inputs, got {self.gap}")

    @property
    def criterion(self) -> str:
        wrong = "fewer than 6 of 256 wrong" if self.convention == "noisy_inputs" else "none wrong"
        return f"{wrong} and mean absolute error < {_MEAN_ERROR[self.convention]} (Hochreiter & Schmidhuber 1997)"

    @property
    def least_length(self) -> int:
        return self.gap

    @property
    def sequence_length(self) -> int:
        return self.gap + self.gap // 10

    @property
    def smallest_lag(self) -> int:
        return self.gap - self.informative

    @property
    def largest_lag(self) -> int:
        return self.sequence_length - 1

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return 1

    @property
    def likelihoods(self) -> Likelihoods:
        """Return ``NEVER``: real numbers do not come again."""
        return NEVER

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        second = stream.integers(2, batch_size)  # [runs, batch], 1 for class 2
        lengths = stream.integers(self.gap // 10 + 1, batch_size) + self.gap
        inputs = stream.normal(self.sequence_length, batch_size).transpose(0, 1) * math.sqrt(INPUT_VARIANCE)
        inputs = inputs.contiguous()  # [time, runs, batch]
        signal = (1 - 2 * second).to(inputs.dtype)
        first = inputs[: self.informative]
        first.copy_(first + signal if self.convention == "noisy_inputs" else signal)
        inputs *= torch.arange(self.sequence_length, device=lengths.device)[:, None, None] < lengths
        targets = self._noise_free(second == 1)
        if self.convention == "noisy_targets":
            targets = targets + stream.normal(batch_size) * math.sqrt(TARGET_VARIANCE)
        return Batch(inputs.unsqueeze(3), self.at_every_loss_step(targets.unsqueeze(2)), self.ends(lengths))

    def _noise_free(self, second: Bool[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        """Return the target without its noise of samples that are, or are not, of class 2."""
        of_first, of_second = _TARGETS[self.convention]
        return torch.where(second, of_second, of_first)

    def is_second(self, batch: Batch) -> Bool[Tensor, "runs batch"]:
        """Return whether each sample is of class 2."""
        if self.convention == "noisy_targets":
            return batch.inputs[0, ..., 0] < 0
        return batch.targets[0, ..., 0] == _TARGETS[self.convention][1]

    def shown(self, batch: Batch) -> list[Item]:
        """Return the class, which is there in full with the last of the informative inputs."""
        second = self.is_second(batch).long()
        return [Item("class", second, torch.full_like(second, self.informative - 1), 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``error_share`` and ``mean_absolute_error``.

        ``loss`` is the mean squared error to the target with its noise; the others are against the target without
        noise: the share of sequences that are wrong, and the mean absolute error.
        """
        answered = self.at_answer(self.answered(outputs), batch).squeeze(2)
        errors = (answered - self._noise_free(self.is_second(batch))).abs()
        return {
            "loss": self.loss(outputs, batch),
            # "Not below" counts the nan of a diverged run as wrong.
            "error_share": (~(errors < _WRONG_FROM[self.convention])).float().mean(-1),
            "mean_absolute_error": errors.mean(-1),
        }

    @property
    def _floor(self) -> float:
        """Loss that is left where the class is known."""
        return TARGET_VARIANCE if self.convention == "noisy_targets" else 0.0

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best constant, since the last input says nothing of the class.

        Targets a distance d apart: their middle leaves a squared error of ``d^2 / 4`` and the variance of their noise;
        any constant between them is off by d/2 on average; the target of one class is right in half of the sequences.
        """
        apart = abs(_TARGETS[self.convention][0] - _TARGETS[self.convention][1])
        return {"loss": apart**2 / 4 + self._floor, "error_share": 0.5, "mean_absolute_error": apart / 2}

    def landmarks(self) -> dict[str, float]:
        return {"class known": self._floor} if self._floor else {}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        wrong = metrics["error_share"]
        few = wrong < 6 / 256 if self.convention == "noisy_inputs" else wrong == 0
        return few & (metrics["mean_absolute_error"] < _MEAN_ERROR[self.convention])
