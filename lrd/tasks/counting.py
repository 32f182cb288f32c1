"""Counter languages: predict which symbols may come next in a string of n a's, n b's (and n c's).

======  ==============================  ============================================================
name    a string, n = 3                 what may come behind S, a, b, c
======  ==============================  ============================================================
anbn    S a a a b b b [T]               a; a or b; b, behind the last one T
anbncn  S a a a b b b c c c [T]         a; a or b; b, behind the last one c; c, behind the last one T
======  ==============================  ============================================================

n is uniform in ``least``..``gap``. Inputs are one-hot, T is predicted and never shown. Every output stands for a symbol
and every legal next symbol is a target: 1 if legal, 0 if not, of logistic outputs with squared error, at every step. A
string is accepted where at every step all legal symbols have outputs above 0.5, and all others below.

Source: Gers & Schmidhuber 2001, "LSTM recurrent networks learn simple context-free and context-sensitive languages"
(n from 1 to 10, 20, ..., 50 in training, and tests on longer strings); with peepholes Gers, Schraudolph & Schmidhuber
2002. Our readings: the empty string is in neither language, so that T may not follow S; n is drawn for each string.
Outputs tanh(x / 2) with targets 1 and -1 and the boundary 0 would be the same task, with four times the squared error.

Training and probes draw n at random. Evaluation and test take all n in turn, from ``gap`` down, as evenly as the number
of sequences allows (of at most 256 in a batch), since the paper's test is on every string. So does each test at
another gap (``evaluation.gaps``): there ``longest_accuracy`` says whether the string of just that n is accepted, and
``string_accuracy`` which share of all n up to it.

Memory is asked for at the last b (and the last c), which follow n steps behind the last of the symbols before. In the
shortest string that is ``least`` steps, so that with ``least`` below 3 no slope of the gradient flow can be fitted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods, alike
from lrd.tasks.streams import Stream

_LETTERS = {"anbn": 2, "anbncn": 3}


@dataclass(frozen=True)
class Counting(Task):
    """Predict the legal next symbols of strings that need counting. The module says what each language is."""

    gap: int = option(10, "largest n, the number of each letter in a string", ge=2)
    convention: str = option("anbn", "which language", choices=tuple(_LETTERS))
    least: int = option(1, "smallest n", ge=1)

    name = "counting"
    predicts_inputs = True
    classification = False
    logistic = True
    criterion = "every string of the range accepted (Gers & Schmidhuber 2001)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap < self.least:
            raise OptionError("gap", f"must be >= task.least, {self.least}, got {self.gap}")

    @property
    def letters(self) -> int:
        """Number of different letters: 2 of anbn, 3 of anbncn."""
        return _LETTERS[self.convention]

    @property
    def sequence_length(self) -> int:
        return self.letters * self.gap + 1

    @property
    def smallest_lag(self) -> int:
        return self.least  # from the last a of the shortest string to its last b

    @property
    def largest_lag(self) -> int:
        return self.letters * self.gap - 1  # from the first a of the longest string to its last letter

    @property
    def loss_steps(self) -> range:
        return range(self.sequence_length)

    @property
    def answers(self) -> int:
        return self.letters - 1

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the step of the last b, or of the last c."""
        return (range(self.answers)[answer] + 2) * self._numbers(batch)

    def _numbers(self, batch: Batch) -> Int[Tensor, "runs batch"]:
        """Return the n of each string."""
        assert batch.weights is not None
        return batch.weights.sum(0).long() // self.letters

    @property
    def quiet_steps(self) -> range:
        """The steps between the last a and the last answer of the shortest string, in steps of the longest."""
        last = self.loss_steps[-1]
        return range(last - self.answers * self.least, last)

    @property
    def input_size(self) -> int:
        return self.letters + 1

    @property
    def output_size(self) -> int:
        return self.letters + 1

    @property
    def numbers(self) -> range:
        """Every n."""
        return range(self.least, self.gap + 1)

    @property
    def likelihoods(self) -> Likelihoods:
        """One string of each n, all as likely."""
        return alike(math.log(len(self.numbers)))

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        if stream.split in ("eval", "test"):
            places = torch.arange(batch_size, device=stream.seeds.device)
            n = (self.gap - places * len(self.numbers) // batch_size).expand(len(stream.seeds), batch_size)
        else:
            n = stream.integers(len(self.numbers), batch_size) + self.least
        # 0 stands for S, 1.. for letters, and the last number for T and all that follows.
        steps = torch.arange(self.sequence_length + 1, device=n.device)[:, None, None]
        symbols = ((steps - 1) // n + 1).clamp(max=self.letters + 1)
        one_hot = (symbols.unsqueeze(3) == torch.arange(self.letters + 2, device=n.device)).float()
        inputs = one_hot[:-1, ..., :-1].clone()  # nothing behind the last letter
        targets = one_hot[1:, ..., 1:].clone()
        targets[..., :2] = torch.maximum(targets[..., :2], inputs[..., 1:2])  # a or b behind an a
        weights = inputs.sum(-1)
        return Batch(inputs, targets * weights.unsqueeze(3), weights)

    def shown(self, batch: Batch) -> list[Item]:
        """Return n, which has been shown with the last a."""
        n = self._numbers(batch)
        return [Item("n", n.float(), n)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``string_accuracy`` and ``longest_accuracy``.

        ``string_accuracy`` is the share of strings that are accepted; ``longest_accuracy`` the share among those with
        the largest n of the batch, which is ``gap`` in evaluation and test.
        """
        assert batch.weights is not None
        right = torch.where(batch.targets > 0.5, outputs > 0, outputs < 0).all(-1)  # logistic(0) = 0.5; nan is wrong
        accepted = (right | (batch.weights == 0)).all(0)
        n = self._numbers(batch)
        longest = n == n.amax(-1, keepdim=True)
        return {
            "loss": self.loss(outputs, batch),
            "string_accuracy": accepted.float().mean(-1),
            "longest_accuracy": (accepted & longest).sum(-1) / longest.sum(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best answer that sees the present symbol alone.

        Behind S and a it knows what is legal. Behind each further letter comes the same one again, or behind the last
        of them the next symbol. Each step weighs 1 / (letters n + 1), so that the last ones have the share
        p = E[1 / (letters n + 1)] / E[n / (letters n + 1)], and two outputs the variance p (1 - p). No string with
        n > 1 is accepted, since the same letter asks for two answers. That with n = 1 is accepted by who takes each
        letter for the last.
        """
        length = {n: self.letters * n + 1 for n in self.numbers}
        ends = math.fsum(1 / length[n] for n in self.numbers) / len(self.numbers)
        steps = math.fsum(n / length[n] for n in self.numbers) / len(self.numbers)
        loss = self.answers * 2 * ends * (1 - ends / steps) / self.output_size
        only_one = 1 / len(self.numbers) if self.least == 1 else 0.0
        return {"loss": loss, "string_accuracy": only_one, "longest_accuracy": 0.0}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["string_accuracy"] == 1
