"""The embedded Reber grammar: predict the next symbol; the last but one is the second one again.

A string is ``B z (inner part) z E`` with z = T or P at random. The inner part is a string of Reber's grammar, in which
every choice between two symbols is made at random::

    1  -B->  T: 2, P: 3        2  S: 2, X: 4        3  T: 3, V: 5
    4  X: 3, S: 6              5  P: 4, V: 6        6  -E->

Source: Hochreiter & Schmidhuber 1997, experiment 1 (after Reber 1967; Smith & Zipser 1989; Cleeremans et al. 1989;
Fahlman 1991). Seven one-hot inputs, seven logistic outputs, squared error at every step. A string is right where at
every step the outputs of all legal next symbols are larger than all others.

``gap`` is the least number of steps that z must be kept. A string of Reber's grammar has at least five symbols: with
gaps up to 5, the default, this is the paper's task. For larger ones the inner part is ``repeats`` strings of the
grammar, one behind another, as many as it takes with five symbols each; z comes again behind the last of them alone, so
that a network has to count them too (``recall_accuracy`` asks for z alone).

The grammar's loops make strings of any length. Strings are never cut: they are drawn from the grammar's distribution
given that the inner part has at most ``10 repeats + 20`` symbols (more than 99.8 % of them do). The paper draws 256
strings to train on, and 256 others to test; here, as for every task, each batch is drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods
from lrd.tasks.reber_grammar import SYMBOLS, grammar, memoryless, string_likelihoods, walk
from lrd.tasks.streams import Stream

SHORTEST = 5
T, P = SYMBOLS.index("T"), SYMBOLS.index("P")


@dataclass(frozen=True)
class Reber(Task):
    """Predict the next symbol of embedded Reber strings. The module says what the grammar is."""

    gap: int = option(5, "least steps that the second symbol must be kept; 5: the paper's task", ge=1)

    name = "reber"
    predicts_inputs = True
    classification = False
    logistic = True
    criterion = "every string right at every step (Hochreiter & Schmidhuber 1997: 256 training and 256 test strings)"

    @property
    def repeats(self) -> int:
        """Number of strings of Reber's grammar in the inner part."""
        return -(-self.gap // SHORTEST)

    @property
    def smallest_lag(self) -> int:
        return SHORTEST * self.repeats

    @property
    def largest_lag(self) -> int:
        return 10 * self.repeats + 20

    @property
    def sequence_length(self) -> int:
        return self.largest_lag + 3  # besides the inner part B, z and z; the last E is predicted, but no input

    @property
    def loss_steps(self) -> range:
        return range(self.sequence_length)

    @property
    def answers(self) -> int:
        return 1

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the inner part's last step, behind which z comes again."""
        if answer not in (0, -1):
            raise IndexError(f"reber has one answer, asked for number {answer}")
        return scored(batch).sum(0) - 2

    @property
    def quiet_steps(self) -> range:
        """The fewest steps that lie between z and the answer in any string, in steps of the longest."""
        last = self.loss_steps[-1]
        return range(last - self.smallest_lag, last)

    @property
    def input_size(self) -> int:
        return len(SYMBOLS)

    @property
    def output_size(self) -> int:
        return len(SYMBOLS)

    @property
    def likelihoods(self) -> Likelihoods:
        """Strings by the number of choices that they take."""
        return string_likelihoods(self.repeats, self.sequence_length)

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        length = self.sequence_length
        rules = grammar(self.repeats, length, stream.seeds.device)
        words = stream.integers(2**31, length, batch_size).transpose(0, 1)
        symbols = rules.one_hot[walk(rules, words)]  # [time + 1, runs, batch, symbols], zero behind the last E
        weights = symbols[1:].sum(-1)
        return Batch(symbols[:-1] * weights.unsqueeze(3), symbols[1:], weights)

    def legal(self, batch: Batch) -> Bool[Tensor, "time runs batch outputs"]:
        """Return which symbols may come next at each step; none on padding."""
        rules = grammar(self.repeats, self.sequence_length, batch.inputs.device)
        symbols = batch.inputs.argmax(-1)
        state = torch.zeros_like(symbols[0])
        states = [state]
        for symbol in symbols[1:]:
            state = rules.reached[state, symbol]
            states.append(state)
        return rules.legal[torch.stack(states)] & scored(batch).unsqueeze(3)

    def right(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> Bool[Tensor, "steps runs batch"]:
        """Return where the outputs of all legal next symbols are larger than all others; True on padding."""
        legal = self.legal(batch)
        least = torch.where(legal, outputs, torch.inf).amin(-1)
        most = torch.where(legal, -torch.inf, outputs).amax(-1)
        return (least > most) | ~legal.any(-1)

    def shown(self, batch: Batch) -> list[Item]:
        """Return whether the second symbol was T or P."""
        was_p = batch.inputs[1, ..., P].long()
        return [Item("T or P", was_p, torch.ones_like(was_p), 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, ``string_accuracy`` and ``recall_accuracy``.

        ``string_accuracy`` is the share of strings that are right at every step; ``recall_accuracy`` the share of
        strings where, when the last but one symbol is asked for, the right one of T and P has the larger output.
        """
        asked = self.answer_steps(batch, -1)[None, ..., None].expand(1, *outputs.shape[1:])
        answer = outputs.gather(0, asked)[0]
        was_p = batch.inputs[1, ..., P] == 1
        recalled = torch.where(was_p, answer[..., P] > answer[..., T], answer[..., T] > answer[..., P])
        return {
            "loss": self.loss(outputs, batch),
            "string_accuracy": self.right(outputs, batch).all(0).float().mean(-1),
            "recall_accuracy": recalled.float().mean(-1),
        }

    def chance(self) -> dict[str, float]:
        """Return the exact levels of the best answer that sees the present symbol alone.

        Its loss is that of the shares with which each symbol follows each, in the distribution of strings. It gets no
        string right: behind z, whichever it is, both the inner B and the last E are the only legal symbol, once in
        every string.
        """
        loss, _ = memoryless(self.repeats, self.sequence_length)
        return {"loss": loss, "string_accuracy": 0.0, "recall_accuracy": 0.5}

    def landmarks(self) -> dict[str, float]:
        """Return ``grammar known``: 1/2 for each of two legal symbols, 1 for a single one."""
        return {"grammar known": memoryless(self.repeats, self.sequence_length)[1]}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["string_accuracy"] == 1


def scored(batch: Batch) -> Bool[Tensor, "steps runs batch"]:
    """Return which steps are of a string, and not padding."""
    assert batch.weights is not None
    return batch.weights > 0
