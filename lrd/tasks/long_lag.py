"""Long time lags among symbols: the first symbol of consequence, x or y, is asked for again at the end.

Symbols are one-hot, outputs logistic with squared error; p and q are ``gap``. What is predicted is the next symbol.

=============  ====================================  ==========================  ======================================
convention     a sequence                            asked for                   solved
=============  ====================================  ==========================  ======================================
noise_free     z a_1 a_2 .. a_(p-1) z                every next symbol           every error below .25, at every step
random_middle  z a_i .. a_j z, p-1 drawn at random   every next symbol           every error below .25, at the last step
very_long      b z a_i .. a_j e z, q + k drawn at    z behind e, by 2 outputs    every error below .2, at the last step
               random, P(k) = .1 * .9^k
=============  ====================================  ==========================  ======================================

z is x or y, with equal probability. Source: Hochreiter & Schmidhuber 1997, experiments 2a, 2b and 2c; the gap is the p
of the first two and the q of the third, whose number of different a is ``distractors``. The last z is no input, being
what is predicted. Our reading: k is at most 64 (one sequence in a thousand has more: k is drawn given that it has not).

The paper's error is the sum over outputs and steps of half the squared error of one sequence; the loss here is the mean
over both, so that the paper's learning rate stands for itself times half their number here (for plain descent).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.items import Item
from lrd.tasks.one_answer import OneAnswer
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.streams import Stream

MORE = 64  # most random symbols that a sequence of very_long has beyond its gap
_WRONG_FROM = {"noise_free": 0.25, "random_middle": 0.25, "very_long": 0.2}


@dataclass(frozen=True)
class LongLag(OneAnswer):
    """Remember the first x or y and name it again at the end. The module says what each convention is."""

    gap: int = option(100, "p, or q for very_long: one more than, or the least number of, symbols between", ge=2)
    convention: str = option("noise_free", "experiment 2a, 2b or 2c", choices=tuple(_WRONG_FROM))
    distractors: int | None = option(None, "kinds of symbols between (very_long only); null: as many as the gap", ge=1)

    name = "long_lag"
    classification = False
    logistic = True

    @property
    def predicts_inputs(self) -> bool:
        return self.convention == "noise_free"  # the others ask for the last symbol alone, which is no input

    @property
    def criterion(self) -> str:
        where = "at every step" if self.convention == "noise_free" else "at the end"
        return (
            f"every absolute error below {_WRONG_FROM[self.convention]} {where} "
            "(Hochreiter & Schmidhuber 1997: 10,000 sequences)"
        )

    @property
    def random_length(self) -> bool:
        return self.convention == "very_long"

    @property
    def kinds(self) -> int:
        """Number of different symbols a_1, a_2, ..., the first columns of the one-hot input; x and y follow them."""
        if not self.random_length:
            return self.gap - 1
        return self.gap if self.distractors is None else self.distractors

    @property
    def least_length(self) -> int:
        return self.gap + 3 if self.random_length else self.gap

    @property
    def sequence_length(self) -> int:
        return self.least_length + (MORE if self.random_length else 0)

    @property
    def loss_steps(self) -> range:
        return super().loss_steps if self.random_length else range(self.gap)

    @property
    def shown_step(self) -> int:
        """The step that shows x or y."""
        return 1 if self.random_length else 0

    @property
    def smallest_lag(self) -> int:
        return self.least_length - 1 - self.shown_step

    @property
    def largest_lag(self) -> int:
        return self.sequence_length - 1 - self.shown_step

    @property
    def input_size(self) -> int:
        return self.kinds + (4 if self.random_length else 2)

    @property
    def output_size(self) -> int:
        return 2 if self.random_length else self.input_size

    @property
    def likelihoods(self) -> Likelihoods:
        """Return how likely sequences are: x or y, with each random middle, of each length by its share."""
        if self.convention == "noise_free":
            return alike(math.log(2))
        if self.convention == "random_middle":
            return alike(math.log(2) + (self.gap - 1) * math.log(self.kinds))
        whole = 1 - 0.9 ** (MORE + 1)
        shares = [0.1 * 0.9**more / whole for more in range(MORE + 1)]
        middles = [(self.gap + more) * math.log(self.kinds) for more in range(MORE + 1)]
        return [(p, math.log(p) - math.log(2) - middle) for p, middle in zip(shares, middles, strict=True)]

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        remembered = stream.integers(2, batch_size)  # [runs, batch]: 0 is x, 1 is y
        length, size = self.sequence_length, self.input_size
        if self.convention == "noise_free":
            symbols = torch.arange(-1, length, device=remembered.device)[:, None, None]
            symbols = symbols.expand(-1, *remembered.shape).clone()  # [time + 1, runs, batch]
        else:
            symbols = stream.integers(self.kinds, length + 1, batch_size).transpose(0, 1).contiguous()
        symbols[self.shown_step] = self.kinds + remembered
        if self.random_length:
            more = torch.searchsorted(_up_to(remembered.device), stream.integers(2**31, batch_size), right=True)
            lengths = more + self.least_length
            symbols[0] = self.kinds + 2  # b
            symbols.scatter_(0, lengths[None] - 1, self.kinds + 3)  # e
        else:
            symbols[-1] = self.kinds + remembered
        one_hot = torch.zeros(length + 1, *remembered.shape, size, device=remembered.device)
        one_hot.scatter_(3, symbols.unsqueeze(3), 1.0)
        if not self.random_length:
            return Batch(one_hot[:-1].clone(), one_hot[1:])
        inputs = one_hot[:-1]
        inputs *= (torch.arange(length, device=lengths.device)[:, None, None] < lengths).unsqueeze(3)
        targets = torch.nn.functional.one_hot(remembered, 2).float()
        return Batch(inputs, self.at_every_loss_step(targets), self.ends(lengths))

    def _remembered(self, batch: Batch) -> Int[Tensor, "runs batch"]:
        return batch.inputs[self.shown_step, ..., self.kinds + 1].long()

    def shown(self, batch: Batch) -> list[Item]:
        """Return the item to remember, x or y, as class 0 or 1."""
        remembered = self._remembered(batch)
        return [Item("x or y", remembered, torch.full_like(remembered, self.shown_step), 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``accuracy`` and ``error_share``.

        ``accuracy`` is the share of sequences where, at the end, the remembered one of x and y has the larger output;
        ``error_share`` the share of sequences with an error that the criterion does not allow.
        """
        errors = (self.answered(outputs) - batch.targets).abs()
        worst = errors.amax(0) if self.convention == "noise_free" else self.at_answer(errors, batch)
        x, y = self.at_answer(outputs, batch)[..., 0 if self.random_length else self.kinds :].unbind(-1)
        right = torch.where(self._remembered(batch) == 1, y > x, x > y)
        return {
            "loss": self.loss(outputs, batch),
            "accuracy": right.float().mean(-1),
            # "Not below" counts the nan of a diverged run as wrong.
            "error_share": (~(worst < _WRONG_FROM[self.convention])).any(-1).float().mean(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best answer that sees the present symbol alone.

        Always x at the end, and the next a where it is certain, is right in half of the sequences. The loss at a step
        is ``1 - sum of m_i^2`` over the outputs, where m are the probabilities of the next symbols; the mean divides by
        the number of outputs. ``noise_free``: the next symbol is certain but for the end (1/2, 1/2). ``random_middle``,
        n = p - 1: behind z each a has 1/n; behind an a, which is the last of n with probability 1/n, each a has
        (n-1)/n^2, x and y have 1/2n each. ``very_long``: 1/2, 1/2.
        """
        n = self.gap - 1
        behind_an_a = 1 - n * ((n - 1) / n**2) ** 2 - 2 / (2 * n) ** 2
        total = {
            "noise_free": 0.5 / self.gap,
            "random_middle": (1 - 1 / n + n * behind_an_a) / self.gap,
            "very_long": 0.5,
        }[self.convention]
        return {"loss": total / self.output_size, "accuracy": 0.5, "error_share": 0.5}

    def landmarks(self) -> dict[str, float]:
        """Return ``all but the symbols between known``: where the middle is random, its symbols alone are not known."""
        if self.convention != "random_middle" or self.gap == 2:
            return {}
        n = self.gap - 1
        return {"all but the middle known": n * (1 - 1 / n) / self.gap / self.output_size}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["error_share"] == 0


@functools.lru_cache(maxsize=8)
def _up_to(device: torch.device) -> Int[Tensor, "more"]:
    """Return 2**31 P(k' <= k) for k = 0..MORE - 1, rounded, where P(k) is that of ``very_long``, given k <= MORE."""
    whole = 1 - 0.9 ** (MORE + 1)
    return torch.tensor([round(2**31 * (1 - 0.9 ** (k + 1)) / whole) for k in range(MORE)], device=device)
