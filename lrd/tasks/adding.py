"""Adding: two of many numbers are marked, and their sum is asked for at the end.

Each step shows a pair (value, marker). T is ``gap``, steps are 0-based, L is the length of one sample:

==============  ========  ===================================  ==================================  ===============
convention      values    length                               marked                              target
==============  ========  ===================================  ==================================  ===============
arjovsky2016    U[0, 1)   T                                    one in each half                    X1 + X2
bai2018         U[0, 1)   T                                    two distinct places anywhere        X1 + X2
hochreiter1997  U[-1, 1)  uniform in T..T + T // 10            in the first 10; another in the     .5 + (X1+X2)/4
                                                               first T // 2 - 1
pascanu2013     U[0, 1)   uniform in T..T + T // 10            in [0, L // 10); in                 (X1 + X2) / 2
                                                               [L // 10, L // 2)
==============  ========  ===================================  ==================================  ===============

Sources: Hochreiter & Schmidhuber 1997, experiment 4; Pascanu, Mikolov, Bengio 2013, supplement; Arjovsky, Shah, Bengio
2016, section 5.2; Bai, Kolter, Koltun 2018. Our readings: Pascanu's length is an integer uniform in [T, 11/10 T], and
the marked places scale with each sample's own length. Hochreiter marks the first and the final pair with -1, and sets
X1 to 0 where the first pair is also the marked one; here the mark 1 wins there and X1 keeps its value, so that every
sequence has two numbers to remember and the level of a constant is 1/24 exactly. Shorter samples are padded with
zeros behind their answer.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item
from lrd.tasks.streams import Stream

_LEAST_GAP = {
    "arjovsky2016": (2, "each half holds one of the two numbers"),
    "bai2018": (2, "two different steps are marked"),
    "hochreiter1997": (22, "the first number lies in the first 10 steps, both in the first gap // 2 - 1"),
    "pascanu2013": (10, "the first number lies in the first tenth of the sequence"),
}


@dataclass(frozen=True)
class Adding(Task):
    """Answer the sum of the two marked numbers at the last step. See the module for the conventions."""

    gap: int = option(100, "length of a sequence; the least length where lengths vary", ge=1)
    convention: str = option("arjovsky2016", "whose places, lengths and target", choices=tuple(_LEAST_GAP))

    name = "adding"
    classification = False

    def __post_init__(self) -> None:
        super().__post_init__()
        least, reason = _LEAST_GAP[self.convention]
        if self.gap < least:
            raise OptionError("gap", f"must be >= {least} for convention {self.convention} ({reason}), got {self.gap}")

    @property
    def criterion(self) -> str:
        if self.convention == "hochreiter1997":
            return "mean absolute error < 0.01 and no error above 0.04 (Hochreiter & Schmidhuber 1997: 2000 sequences)"
        return "fewer than 1 % of sequences with a squared error above 0.04 (Pascanu et al. 2013: 10,000 sequences)"

    @property
    def random_length(self) -> bool:
        return self.convention in ("hochreiter1997", "pascanu2013")

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
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.sequence_length)

    @property
    def answers(self) -> int:
        return 1

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        if batch.weights is None:
            return super().answer_steps(batch, answer)
        if answer not in (0, -1):
            raise IndexError(f"adding has one answer, asked for number {answer}")
        return batch.weights.argmax(0) + self.loss_steps.start

    @property
    def quiet_steps(self) -> range:
        """The ``gap - 1`` steps before the answer, which every sample has, however long; in steps of the longest.

        The step from which both numbers lie behind differs by sample.
        """
        last = self.loss_steps[-1]
        return range(last - self.gap + 1, last)

    @property
    def input_size(self) -> int:
        return 2

    @property
    def output_size(self) -> int:
        return 1

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        length = self.sequence_length
        values = stream.uniform(length, batch_size).transpose(0, 1)  # [time, runs, batch]
        if self.convention == "hochreiter1997":
            values = 2 * values - 1
        runs, device = values.shape[1], values.device
        inputs = torch.zeros(length, runs, batch_size, 2, device=device)
        markers = inputs[..., 1]
        if self.random_length:
            lengths = stream.integers(self.gap // 10 + 1, batch_size) + self.gap  # [runs, batch]
            steps = torch.arange(1, length + 1, device=device)[:, None, None]  # counted from 1 here
            torch.mul(values, steps <= lengths, out=inputs[..., 0])
            weights = (steps[self.gap - 1 :] == lengths).float()
            if self.convention == "hochreiter1997":
                markers[0] = -1
                markers.scatter_(0, lengths[None] - 1, -1.0)
            places = self._places(stream, batch_size, lengths)
        else:
            inputs[..., 0] = values
            weights = None
            places = self._places(stream, batch_size, None)
        markers.scatter_(0, places, 1.0)
        scale, offset = {"hochreiter1997": (0.25, 0.5), "pascanu2013": (0.5, 0.0)}.get(self.convention, (1.0, 0.0))
        target = values.gather(0, places).sum(0) * scale + offset  # [runs, batch]
        return Batch(inputs, target.expand(len(self.loss_steps), -1, -1).unsqueeze(3), weights)

    def _places(
        self, stream: Stream, batch_size: int, lengths: Int[Tensor, "runs batch"] | None
    ) -> Int[Tensor, "2 runs batch"]:
        """The steps of the first and the second number."""
        if self.convention == "pascanu2013" and lengths is not None:
            tenth, half = lengths // 10, lengths // 2
            places = stream.integers(torch.stack((tenth, half - tenth), 1), 2, batch_size).transpose(0, 1)
            places[1] += tenth
            return places
        places = stream.integers(_spans(self, stream.seeds.device), 2, batch_size).transpose(0, 1)
        if self.convention == "arjovsky2016":
            places[1] += self.gap // 2
        else:
            places[1] += places[1] >= places[0]  # any place but the first number's
        return places

    def shown(self, batch: Batch) -> list[Item]:
        """The two numbers in the order in which they come, and their sum, which is there with the second."""
        steps = torch.arange(len(batch.inputs), device=batch.inputs.device)[:, None, None]
        marked = batch.inputs[..., 1] == 1
        first, second = torch.where(marked, steps, len(steps)).amin(0), torch.where(marked, steps, -1).amax(0)
        x1, x2 = (batch.inputs[..., 0].gather(0, step[None])[0] for step in (first, second))
        return [Item("first number", x1, first), Item("second number", x2, second), Item("sum", x1 + x2, second)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """``loss`` (mean squared error), ``mean_absolute_error``, and ``error_share``: the share of sequences whose
        absolute error is above 0.04 (hochreiter1997) or whose squared error is (the others, after Pascanu)."""
        errors = (outputs - batch.targets).squeeze(3)
        errors = errors[0] if batch.weights is None else errors.gather(0, batch.weights.argmax(0, keepdim=True))[0]
        judged = errors.abs() if self.convention == "hochreiter1997" else errors.square()
        return {
            "loss": errors.square().mean(-1),
            # "Not within" counts the nan of a diverged run as wrong; "above" would count it as right.
            "error_share": (~(judged <= 0.04)).float().mean(-1),
            "mean_absolute_error": errors.abs().mean(-1),
        }

    @property
    def _half_width(self) -> float:
        """The target is uniformly distributed twice over: triangular, with this distance from its mean to its ends."""
        return 0.5 if self.random_length else 1.0

    def chance(self) -> dict[str, float]:
        """The target's centre as the answer, best for all three since it is mean, median and mode.

        The sum of two uniform numbers is triangular: the error e has density ``(1 - |e|/w) / w`` on [-w, w] (w = 1, or
        1/2 for the scaled targets), hence ``E e^2 = w^2 / 6``, ``E|e| = w / 3`` and ``P(|e| > a) = (1 - a/w)^2``.
        """
        width = self._half_width
        tolerance = 0.04 if self.convention == "hochreiter1997" else 0.2
        return {
            "loss": width**2 / 6,
            "error_share": (1 - tolerance / width) ** 2,
            "mean_absolute_error": width / 3,
        }

    def landmarks(self) -> dict[str, float]:
        """``one number known``: what is left is the variance of the other one, half that of both."""
        return {"one number known": self._half_width**2 / 12}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        if self.convention == "hochreiter1997":
            return (metrics["mean_absolute_error"] < 0.01) & (metrics["error_share"] == 0)
        return metrics["error_share"] < 0.01


@functools.lru_cache(maxsize=64)
def _spans(task: Adding, device: torch.device) -> Int[Tensor, "2 1"]:
    """How many places each number may take where that does not depend on the sample, the taken one left out."""
    spans = {
        "arjovsky2016": (task.gap // 2, task.gap - task.gap // 2),
        "bai2018": (task.gap, task.gap - 1),
        "hochreiter1997": (10, task.gap // 2 - 2),
    }[task.convention]
    return torch.tensor(spans, device=device)[:, None]
