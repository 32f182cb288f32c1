"""Warp: name the previous character of a random text whose characters last for some time each.

Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", pure warpings and paddings. Characters are
drawn at random, no two neighbours the same, and the text is cut off after ``length`` steps. ``gap`` is the paper's
maximal warping.

================  ======================  ==============================  =============================
convention        a character's steps     what stands at them             asked for
================  ======================  ==============================  =============================
variable          1 to gap, at random     the character at each of them   the one before it, every step
uniform           gap                     the character at each of them   the one before it, every step
variable_padded   1 to gap, at random     the character, then zeros       the one before it, at its own
uniform_padded    gap                     the character, then zeros       the one before it, at its own
================  ======================  ==============================  =============================

Our readings: the paper's alphabet of 10 characters includes a dummy; it is what is asked for at the first character,
which has none before it, and is no input, so that nine are drawn (a public re-implementation draws ten and has the
dummy besides: ``task.alphabet=11``). Padding is a vector of zeros, and on it nothing is asked for: the paper wants the
previous character "each time the input is nonzero" (the re-implementation wants it on padding, too).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.recall import one_hot
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class Warp(Task):
    """Name the previous character while the present one lasts. The module says what each convention is."""

    gap: int = option(20, "steps that a character lasts at most", ge=1)
    convention: str = option(
        "variable",
        "whether all characters last as long, and whether they are repeated or padded",
        choices=("variable", "uniform", "variable_padded", "uniform_padded"),
    )
    length: int = option(500, "steps of a sequence", ge=2)
    alphabet: int = option(10, "classes: the characters, and the dummy that stands for none", ge=4)

    name = "warp"
    classification = True
    criterion = "accuracy >= 0.99 (lrd's own: no threshold is published)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap >= self.length:
            raise OptionError("gap", f"must be < length, {self.length}, got {self.gap}")

    @property
    def is_uniform(self) -> bool:
        """Whether all characters last as long."""
        return self.convention.startswith("uniform")

    @property
    def is_padded(self) -> bool:
        """Whether zeros stand in place of a character's repetitions."""
        return self.convention.endswith("padded")

    @property
    def sequence_length(self) -> int:
        return self.length

    @property
    def smallest_lag(self) -> int:
        return self.gap if self.convention == "uniform_padded" else 1

    @property
    def largest_lag(self) -> int:
        return self.gap

    @property
    def loss_steps(self) -> range:
        return range(self.length)

    @property
    def answers(self) -> int:
        """Number of the last scored steps that come behind the first character in every sequence."""
        return -(-self.length // self.gap) - 1 if self.is_padded else self.length - self.gap

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        if batch.weights is None:
            return super().answer_steps(batch, answer)
        left = range(self.answers, 0, -1)[answer]  # scored steps from this one on
        return self.length - 1 - ((batch.weights > 0).flip(0).cumsum(0) == left).long().argmax(0)

    @property
    def quiet_steps(self) -> range:
        """The steps from the last one that shows the last answer's character, where that is the same in all samples.

        Where it is not the same, or leaves no more than two steps because ``length`` cuts the last character off at
        once, they are all steps that every sample has before its last answer.
        """
        last = self.length - 1
        lag = self.gap if self.is_padded else last % self.gap + 1
        if self.is_uniform and lag > 2:
            return range(last - lag, last)
        return range(self.gap - 1 if self.is_padded else 0, last)

    @property
    def characters(self) -> int:
        """Number of characters that are drawn."""
        return self.alphabet - 1

    @property
    def input_size(self) -> int:
        return self.characters

    @property
    def output_size(self) -> int:
        return self.alphabet  # class 0 is the dummy

    @property
    def likelihoods(self) -> Likelihoods:
        """Every text, and where steps are drawn every way to divide them, by the number of characters."""
        if self.is_uniform:
            return alike(math.log(self.characters) + (-(-self.length // self.gap) - 1) * math.log(self.characters - 1))
        return [
            (share, log_p - math.log(self.characters) - (drawn - 1) * math.log(self.characters - 1))
            for drawn, share, log_p in _divisions(self.length, self.gap)
        ]

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        drawn = -(-self.length // self.gap) if self.is_uniform else self.length  # characters, as many as may be shown
        # Each character is another one than that before it: 1 to characters - 1 further in the alphabet's circle.
        further = 1 + stream.integers(self.characters - 1, drawn, batch_size)
        further[:, 0] = stream.integers(self.characters, batch_size)
        text = (further.cumsum(1) % self.characters + 1).transpose(0, 1)  # [drawn, runs, batch]
        if self.is_uniform:
            steps = torch.full_like(text, self.gap)
        else:
            steps = (1 + stream.integers(self.gap, drawn, batch_size)).transpose(0, 1)
        starts = (steps.cumsum(0) - steps).clamp(max=self.length)
        is_start = text.new_zeros(self.length + 1, *text.shape[1:]).scatter_(0, starts, 1)[:-1]
        number = is_start.cumsum(0)  # of the character at each step, from 1
        inputs = one_hot(text.gather(0, number - 1) - 1, self.characters)
        targets = torch.cat([torch.zeros_like(text[:1]), text]).gather(0, number - 1)
        if not self.is_padded:
            return Batch(inputs, targets)
        weights = is_start.float()
        return Batch(inputs * weights.unsqueeze(3), targets * is_start, weights)

    def shown(self, batch: Batch) -> list[Item]:
        """Return the character that the last answer asks for, at the last step that showed it.

        Those of earlier answers are better forgotten.
        """
        step = self.answer_steps(batch, -1)
        character = batch.targets.gather(0, step[None])[0] - 1
        shows = batch.inputs.gather(3, character.expand(self.length, *step.shape).unsqueeze(3)).squeeze(3) > 0
        # The previous character is another one than the present: the last step before the answer that shows it is its.
        steps = torch.arange(self.length, device=step.device)[:, None, None]
        last = torch.where(shows & (steps < step), steps, 0).amax(0)
        return [Item("previous character", character, last, self.characters)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``accuracy``, each sample's mean over its scored steps."""
        right = (outputs.argmax(-1) == batch.targets).float()
        return {"loss": self.loss(outputs, batch), "accuracy": self.averaged(right, batch)}

    def chance(self) -> dict[str, float]:
        """Return the exact levels of the best answer that sees the present character alone.

        Of the scored steps a share f asks for the dummy: those of the first character. At the others each of the n - 1
        characters that are not the present one is as likely: the loss is -f ln f - (1 - f) ln((1 - f) / (n - 1)), and
        the accuracy the larger one of f and (1 - f) / (n - 1).
        """
        f = self._first_share()
        each = (1 - f) / (self.characters - 1)
        return {"loss": -f * math.log(f) - (1 - f) * math.log(each), "accuracy": max(f, each)}

    def _first_share(self) -> float:
        """Return the expected share of a sequence's scored steps that stand at the first character."""
        if not self.is_padded:
            return (self.gap if self.is_uniform else (self.gap + 1) / 2) / self.length
        if self.is_uniform:
            return 1 / (self.answers + 1)
        return math.fsum(share / drawn for drawn, share, _ in _divisions(self.length, self.gap))

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["accuracy"] >= 0.99


@functools.lru_cache(maxsize=16)
def _divisions(length: int, gap: int) -> list[tuple[int, float, float]]:
    """Return how ``length`` steps are divided among characters that last 1 to ``gap`` steps each, the last one cut off.

    Where m - 1 characters last length - left steps in all, the m-th one is shown for the ``left`` steps that remain if
    it lasts at least as long, which it does with probability (gap - left + 1) / gap.

    Returns:
        By the number m of characters and by ``left``: m, the probability of both, and the log probability of one such
        division, in which all of the others have given steps.
    """
    left = np.arange(1, min(gap, length) + 1)
    lasts = (gap - left + 1) / gap
    ends = np.zeros(length)  # by steps: the probability that m - 1 characters last so long in all
    ends[0] = 1.0
    found = []
    for m in range(1, length + 1):
        shares = ends[length - left] * lasts
        logs = np.log(lasts) - (m - 1) * math.log(gap)
        found += [(m, p, log_p) for p, log_p in zip(shares.tolist(), logs.tolist(), strict=True) if p > 0]
        before = np.concatenate([np.zeros(gap), np.cumsum(ends)])  # of up to s - gap steps, at place s
        ends = np.concatenate([[0.0], (before[gap:] - before[:length])[: length - 1]]) / gap
    return found
