"""Temporal order: two (or three) symbols stand out among distractors; in which order did they come?

T is ``gap``; N, ``ordered``, symbols are X or Y at random, each in a window of its own; all else are distractors a, b,
c, d. At the last step the answer is one of 2**N classes (for two: XX, XY, YX, YY). Windows in steps counted from 1:

==============  ==============================  =========================================  ======================
convention      length                          windows, N = 2; N = 3                      answer
==============  ==============================  =========================================  ======================
hochreiter1997  uniform in T..T + T // 10; the  T/10, T/2; T/10, T/3, 2T/3, each with the  logistic, squared
                first is E, the last B          next T/10 (for 100: 10..20, 50..60)        error, 2**N outputs
pascanu2013     T                               behind T/10, T/2; T/10, 3T/10, 6T/10,      softmax, cross-entropy
                                                T/10 steps each (for 100: 11..20, 51..60)
==============  ==============================  =========================================  ======================

Sources: Hochreiter & Schmidhuber 1997, experiments 6a and 6b (T = 100); Pascanu, Mikolov, Bengio 2013, public code.
Our readings: positions of 1997 count from 1, windows scale with T by whole-number division, and its "average error" is
the mean absolute error over outputs.
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

# Columns of the one-hot input. Pascanu has no start and no end symbol.
X, Y, DISTRACTORS, START, END = 0, 1, range(2, 6), 6, 7
_WINDOWS = {
    "hochreiter1997": {2: ((1, 10), (1, 2)), 3: ((1, 10), (1, 3), (2, 3))},
    "pascanu2013": {2: ((1, 10), (5, 10)), 3: ((1, 10), (3, 10), (6, 10))},
}


@dataclass(frozen=True)
class TemporalOrder(OneAnswer):
    """Name the two or three symbols that stood out, in their order. The module says what each convention is."""

    gap: int = option(100, "length of a sequence; the least length where lengths vary", ge=20)
    convention: str = option("hochreiter1997", "whose windows, lengths and answer", choices=tuple(_WINDOWS))
    ordered: int = option(2, "symbols to tell the order of: 2 (experiment 6a) or 3 (6b)", ge=2, le=3)

    name = "temporal_order"

    @property
    def classification(self) -> bool:
        return self.convention == "pascanu2013"

    @property
    def logistic(self) -> bool:
        return not self.classification

    @property
    def criterion(self) -> str:
        if self.classification:
            return "fewer than 1 % of sequences misclassified (Pascanu et al. 2013: 10,000 sequences)"
        return "mean error < 0.1 and every output within 0.3 (Hochreiter & Schmidhuber 1997: 2000 sequences)"

    @property
    def windows(self) -> tuple[range, ...]:
        """The steps (0-based) at which each of the ordered symbols may stand."""
        tenth = self.gap // 10
        starts = (a * self.gap // b for a, b in _WINDOWS[self.convention][self.ordered])
        if self.classification:
            return tuple(range(start, start + tenth) for start in starts)
        return tuple(range(start - 1, start + tenth) for start in starts)

    @property
    def least_length(self) -> int:
        return self.gap

    @property
    def sequence_length(self) -> int:
        return self.gap + (0 if self.classification else self.gap // 10)

    @property
    def smallest_lag(self) -> int:
        return self.gap - 1 - self.windows[-1][-1]

    @property
    def largest_lag(self) -> int:
        return self.sequence_length - 1 - self.windows[0][0]

    @property
    def input_size(self) -> int:
        return 6 if self.classification else 8

    @property
    def output_size(self) -> int:
        return 1 << self.ordered

    @property
    def likelihoods(self) -> Likelihoods:
        """Every choice of the ordered symbols, their places and the distractors; longer ones are less likely."""
        ordered = self.ordered * math.log(2) + math.fsum(math.log(len(window)) for window in self.windows)
        free = math.log(len(DISTRACTORS))
        if self.classification:
            return alike(ordered + (self.gap - self.ordered) * free)
        lengths = range(self.gap, self.sequence_length + 1)  # the first and the last symbol are no distractors
        of_length = [math.log(len(lengths)) + ordered + (length - 2 - self.ordered) * free for length in lengths]
        return [(1 / len(lengths), -log_number) for log_number in of_length]

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        length = self.sequence_length
        symbols = stream.integers(len(DISTRACTORS), length, batch_size).transpose(0, 1) + DISTRACTORS.start
        symbols = symbols.contiguous()  # [time, runs, batch]
        sizes, starts = _spans(self, symbols.device)
        places = (stream.integers(sizes, self.ordered, batch_size) + starts).transpose(0, 1)
        ordered = stream.integers(2, self.ordered, batch_size).transpose(0, 1)  # 0 is X, 1 is Y
        symbols.scatter_(0, places, ordered)
        answer = torch.zeros_like(ordered[0])
        for symbol in ordered:
            answer = 2 * answer + symbol
        inputs = torch.zeros(*symbols.shape, self.input_size, device=symbols.device)
        if self.classification:
            inputs.scatter_(3, symbols.unsqueeze(3), 1.0)
            return Batch(inputs, answer.unsqueeze(0))
        lengths = stream.integers(self.gap // 10 + 1, batch_size) + self.gap  # [runs, batch]
        symbols[0] = START
        symbols.scatter_(0, lengths[None] - 1, END)
        inputs.scatter_(3, symbols.unsqueeze(3), 1.0)
        inputs *= (torch.arange(length, device=lengths.device)[:, None, None] < lengths).unsqueeze(3)
        targets = torch.nn.functional.one_hot(answer, self.output_size).float()
        return Batch(inputs, self.at_every_loss_step(targets), self.ends(lengths))

    def shown(self, batch: Batch) -> list[Item]:
        """Return the ordered symbols, each at its own step."""
        items = []
        for k, window in enumerate(self.windows):
            seen = batch.inputs[window.start : window.stop, ..., : Y + 1]  # X and Y stand nowhere else
            steps = seen.amax(-1).argmax(0) + window.start
            items.append(Item(f"symbol {k + 1}", seen.sum(0).argmax(-1), steps, 2))
        return items

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``accuracy``, for hochreiter1997 also ``error_share`` and ``mean_absolute_error``.

        ``accuracy`` is the share of sequences whose largest output is the answer's; ``error_share`` the share of
        sequences with an output that is off by 0.3 or more; ``mean_absolute_error`` is a mean over outputs.
        """
        if self.classification:
            right = outputs[-1].argmax(-1) == batch.targets[-1]
            # argmax takes a nan for the largest.
            right &= outputs[-1].isfinite().all(-1)
            return {"loss": self.loss(outputs, batch), "accuracy": right.float().mean(-1)}
        answered, targets = (self.at_answer(v, batch) for v in (self.answered(outputs), batch.targets))
        errors = (answered - targets).abs()
        right = (answered.argmax(-1) == targets.argmax(-1)) & answered.isfinite().all(-1)
        return {
            "loss": self.loss(outputs, batch),
            "accuracy": right.float().mean(-1),
            # "Not below" counts the nan of a diverged run as wrong.
            "error_share": (~(errors < 0.3)).any(-1).float().mean(-1),
            "mean_absolute_error": errors.mean(-1).mean(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best constant over K equally likely classes.

        Cross-entropy ln K; squared error: 1/K at each output, which leaves its variance (1 - 1/K) / K. Always the same
        class is right in 1/K of the sequences; always 0 is off by 1 at one output of K, and no constant is off by less.
        """
        share = 1 / self.output_size
        if self.classification:
            return {"loss": math.log(self.output_size), "accuracy": share}
        return {
            "loss": share * (1 - share),
            "accuracy": share,
            "error_share": 1 - share,
            "mean_absolute_error": share,
        }

    def landmarks(self) -> dict[str, float]:
        """Return ``all but one symbol known``: two classes are left."""
        return {"all but one symbol known": math.log(2) if self.classification else 1 / (2 * self.output_size)}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        if self.classification:
            return metrics["accuracy"] > 0.99
        return (metrics["error_share"] == 0) & (metrics["mean_absolute_error"] < 0.1)


@functools.lru_cache(maxsize=64)
def _spans(task: TemporalOrder, device: torch.device) -> tuple[Int[Tensor, "ordered 1"], Int[Tensor, "ordered 1"]]:
    """Return how many places each ordered symbol may take, and the first of them."""
    sizes, starts = ([f(window) for window in task.windows] for f in (len, lambda window: window.start))
    return torch.tensor(sizes, device=device)[:, None], torch.tensor(starts, device=device)[:, None]
