"""Base of adding and multiplication: sequences of pairs (value, marker), two of them marked.

Places, lengths and marks by convention stand in ``lrd/tasks/adding.py``.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.options import OptionError
from lrd.shapes import Float, Int, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.items import Item
from lrd.tasks.one_answer import OneAnswer
from lrd.tasks.overlap import NEVER, Likelihoods
from lrd.tasks.streams import Stream

LEAST_GAP = {
    "arjovsky2016": (2, "each half holds one of the two numbers"),
    "bai2018": (2, "two different steps are marked"),
    "hochreiter1997": (22, "the first number lies in the first 10 steps, both in the first gap // 2 - 1"),
    "pascanu2013": (10, "the first number lies in the first tenth of the sequence"),
}


@dataclass(frozen=True)
class MarkedPairs(OneAnswer):
    """Base of tasks whose answer, at the last step, is a function of the two marked numbers."""

    convention: str

    classification = False
    combination: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        least, reason = LEAST_GAP[self.convention]
        if self.gap < least:
            raise OptionError("gap", f"must be >= {least} for convention {self.convention} ({reason}), got {self.gap}")

    @abstractmethod
    def value_range(self) -> tuple[float, float]:
        """Return the least and the largest of the numbers, which are uniform between them."""

    @abstractmethod
    def combined(self, x1: Float[Tensor, "runs batch"], x2: Float[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        """Return what is asked of the two numbers; their order does not matter."""

    def scaled(self, combined: Float[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        """Return the target that stands for what is asked, as the convention scales it."""
        return combined

    @property
    def logistic(self) -> bool:
        return self.convention == "hochreiter1997"

    @property
    def random_length(self) -> bool:
        return self.convention in ("hochreiter1997", "pascanu2013")

    @property
    def least_length(self) -> int:
        return self.gap

    @property
    def sequence_length(self) -> int:
        return self.gap + (self.gap // 10 if self.random_length else 0)

    @property
    def smallest_lag(self) -> int:
        # The latest place of the second number, seen from the answer of the shortest sample.
        latest = {"hochreiter1997": self.gap // 2 - 2, "pascanu2013": self.gap // 2 - 1}
        return self.gap - 1 - latest.get(self.convention, self.gap - 1)

    @property
    def largest_lag(self) -> int:
        return self.sequence_length - 1

    @property
    def quiet_steps(self) -> range:
        """The steps between the last place that the second number takes in any sample and the answer.

        They are steps of the longest sample, with all aligned at their answer. Where a convention may show the second
        number with the last step, they are all steps before the answer.
        """
        last = self.loss_steps[-1]
        return range(last - self.smallest_lag + 1 if self.random_length else 0, last)

    @property
    def input_size(self) -> int:
        return 2

    @property
    def output_size(self) -> int:
        return 1

    @property
    def likelihoods(self) -> Likelihoods:
        """Return ``NEVER``: real numbers do not come again."""
        return NEVER

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        length = self.sequence_length
        values = stream.uniform(length, batch_size).transpose(0, 1)  # [time, runs, batch]
        low, high = self.value_range()
        if (low, high) != (0.0, 1.0):
            values = (high - low) * values + low
        runs, device = values.shape[1], values.device
        inputs = torch.zeros(length, runs, batch_size, 2, device=device)
        markers = inputs[..., 1]
        if self.random_length:
            lengths = stream.integers(self.gap // 10 + 1, batch_size) + self.gap  # [runs, batch]
            steps = torch.arange(1, length + 1, device=device)[:, None, None]  # counted from 1 here
            torch.mul(values, steps <= lengths, out=inputs[..., 0])
            weights = self.ends(lengths)
            if self.convention == "hochreiter1997":
                markers[0] = -1
                markers.scatter_(0, lengths[None] - 1, -1.0)
            places = self._places(stream, batch_size, lengths)
        else:
            inputs[..., 0] = values
            weights = None
            places = self._places(stream, batch_size, None)
        markers.scatter_(0, places, 1.0)
        target = self.scaled(self.combined(*values.gather(0, places)))  # [runs, batch]
        return Batch(inputs, self.at_every_loss_step(target.unsqueeze(2)), weights)

    def _places(
        self, stream: Stream, batch_size: int, lengths: Int[Tensor, "runs batch"] | None
    ) -> Int[Tensor, "2 runs batch"]:
        """Draw the steps of the first and the second number."""
        if self.convention == "pascanu2013" and lengths is not None:
            tenth, half = lengths // 10, lengths // 2
            places = stream.integers(torch.stack((tenth, half - tenth), 1), 2, batch_size).transpose(0, 1)
            places[1] += tenth
            return places
        places = stream.integers(_spans(self.convention, self.gap, stream.seeds.device), 2, batch_size).transpose(0, 1)
        if self.convention == "arjovsky2016":
            places[1] += self.gap // 2
        else:
            places[1] += places[1] >= places[0]  # any place but the first number's
        return places

    def shown(self, batch: Batch) -> list[Item]:
        """Return the two numbers in the order in which they come, and what is asked of them, known with the second."""
        steps = torch.arange(len(batch.inputs), device=batch.inputs.device)[:, None, None]
        marked = batch.inputs[..., 1] == 1
        first, second = torch.where(marked, steps, len(steps)).amin(0), torch.where(marked, steps, -1).amax(0)
        x1, x2 = (batch.inputs[..., 0].gather(0, step[None])[0] for step in (first, second))
        both = Item(self.combination, self.combined(x1, x2), second)
        return [Item("first number", x1, first), Item("second number", x2, second), both]

    @property
    def tolerance(self) -> float:
        """Absolute errors above this are wrong: 0.04 (hochreiter1997), or a squared error of 0.04 (after Pascanu)."""
        return 0.04 if self.convention == "hochreiter1997" else 0.2

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` (mean squared error), ``mean_absolute_error`` and ``error_share``.

        ``error_share`` is the share of sequences whose absolute error is above ``tolerance``.
        """
        errors = self.at_answer(self.answered(outputs) - batch.targets, batch).squeeze(2)
        judged = errors.abs() if self.convention == "hochreiter1997" else errors.square()
        return {
            "loss": errors.square().mean(-1),
            # "Not within" counts the nan of a diverged run as wrong; "above" would count it as right.
            "error_share": (~(judged <= 0.04)).float().mean(-1),
            "mean_absolute_error": errors.abs().mean(-1),
        }


@functools.lru_cache(maxsize=64)
def _spans(convention: str, gap: int, device: torch.device) -> Int[Tensor, "2 1"]:
    """Return how many places each number may take, without the one taken, where that is the same for every sample."""
    spans = {
        "arjovsky2016": (gap // 2, gap - gap // 2),
        "bai2018": (gap, gap - 1),
        "hochreiter1997": (10, gap // 2 - 2),
    }[convention]
    return torch.tensor(spans, device=device)[:, None]
