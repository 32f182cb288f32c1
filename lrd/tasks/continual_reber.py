"""Embedded Reber strings one behind another, without a mark or a reset: nobody says where a string ends.

Source: Gers, Schmidhuber & Cummins 2000, "Learning to forget", continual embedded Reber grammar, on which the LSTM of
1997 fails: what its cells have summed up in earlier strings is in the way of the later ones. At each step the next
symbol is predicted, with seven logistic outputs and squared error; behind a string's last E that is the next one's B.

A sequence is ``strings`` strings, from the first one's B to the prediction of the last one's E. Strings and ``gap`` are
those of ``reber``: each is drawn for itself, and none is cut. Every sequence has the steps of as many longest strings
in a row; most need less than half of these, and are padded behind their last E.

Our reading: the paper's streams go on until the network's first error, up to 100,000 symbols; here the state is 0 again
after ``strings`` strings. So lrd's criterion asks for less: no error in any of the sequences of an evaluation.
``task.strings=100`` makes streams of more than 1000 symbols, the length from which the paper calls a solution good. The
measures of the last string show what becomes of late strings.

Our reading: a step is right where all legal symbols have larger outputs than all others, as in ``reber``. A public
summary of the paper names another rule, an error of all output units below 0.49; it does not say whether of each or of
all together, nor what the target is where two symbols are legal.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch

from lrd.options import option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import Likelihoods
from lrd.tasks.reber import P, Reber, T, scored
from lrd.tasks.reber_grammar import SYMBOLS, grammar, losses_of, steps_by_length, string_likelihoods, walk
from lrd.tasks.streams import Stream

B, E = SYMBOLS.index("B"), SYMBOLS.index("E")


@dataclass(frozen=True)
class ContinualReber(Reber):
    """Predict the next symbol of embedded Reber strings in a row. The module says what a sequence is."""

    gap: int = option(5, "least steps that a string's second symbol must be kept; 5: the paper's task", ge=1)
    strings: int = option(6, "strings in a row, with no reset between them", ge=1)

    name = "continual_reber"
    criterion = "every string right at every step (lrd's own: the paper asks for 10 streams of 100,000 symbols)"

    @property
    def behind_b(self) -> int:
        """Number of symbols behind the first B of the longest string."""
        return self.largest_lag + 3  # besides the inner part z, z and E

    @property
    def sequence_length(self) -> int:
        return self.strings * (self.behind_b + 1) - 1  # the last E is predicted, but no input

    @property
    def answers(self) -> int:
        return self.strings

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the last step of a string's inner part, behind which its second symbol comes again."""
        number = range(self.strings)[answer]
        # Only there T or P follows an E: behind the E of a string, and of a part of the inner one, comes a B.
        follows = (batch.targets[..., T] == 1) | (batch.targets[..., P] == 1)
        return _place(_shown(batch, E) & follows, number)

    def second_steps(self, batch: Batch, number: int) -> Int[Tensor, "runs batch"]:
        """Return the step that shows the second symbol of a string, counted from 0."""
        return _place(_begins(batch), number) + 1

    @property
    def likelihoods(self) -> Likelihoods:
        """Sequences by the number of choices that they take."""
        return string_likelihoods(self.repeats, self.behind_b, self.strings)

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        rules = grammar(self.repeats, self.behind_b, stream.seeds.device)
        nothing = len(SYMBOLS)
        codes_of_states = torch.where(rules.one_hot.sum(1) > 0, rules.one_hot.argmax(1), nothing)
        # Draw the strings, each for itself.
        words = stream.integers(2**31, self.behind_b, self.strings, batch_size).transpose(0, 1)
        codes = codes_of_states[walk(rules, words)]  # [symbols of a string, runs, strings, batch]
        # Put them one behind another; what lies behind the end of a string goes behind the end of the longest sequence.
        sizes = (codes < nothing).sum(0)
        starts = sizes.cumsum(1) - sizes
        symbols = self.sequence_length + 1
        steps = torch.arange(len(codes), device=codes.device)[:, None, None, None] + starts
        places = torch.where(codes < nothing, steps, symbols)
        row = codes.new_full((symbols + 1, codes.shape[1], batch_size), nothing)
        row.scatter_(0, _by_run(places), _by_run(codes))
        one_hot = torch.nn.functional.one_hot(row[:-1], nothing + 1)[..., :nothing].float()
        weights = one_hot[1:].sum(-1)
        return Batch(one_hot[:-1] * weights.unsqueeze(3), one_hot[1:], weights)

    def legal(self, batch: Batch) -> Bool[Tensor, "time runs batch outputs"]:
        """Return which symbols may come next at each step; none on padding."""
        rules = grammar(self.repeats, self.behind_b, batch.inputs.device)
        last = len(rules.legal) - 2  # the state of a string's last E
        symbols = batch.inputs.argmax(-1)
        state = torch.zeros_like(symbols[0])
        states = [state]
        for symbol in symbols[1:]:
            state = torch.where(state == last, 0, rules.reached[state, symbol])
            states.append(state)
        walked = torch.stack(states)
        legal = rules.legal[walked]
        legal[..., B] |= walked == last
        return legal & scored(batch).unsqueeze(3)

    def shown(self, batch: Batch) -> list[Item]:
        """Return whether the last string's second symbol was T or P: those of earlier ones are better forgotten."""
        step = self.second_steps(batch, self.strings - 1)
        was_p = batch.inputs[..., P].gather(0, step[None])[0].long()
        return [Item("T or P", was_p, step, 2)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss``, and over all strings and over the last ones two shares.

        ``string_accuracy`` and ``last_string_accuracy`` are the shares of strings that are right at every step that
        shows one of their symbols; ``recall_accuracy`` and ``last_recall_accuracy`` the shares of strings where, when
        the last but one symbol is asked for, the right one of T and P has the larger output.
        """
        wrong = (~self.right(outputs, batch)).long()
        first = torch.stack([self.second_steps(batch, k) for k in range(self.strings)]) - 1
        before = (wrong.cumsum(0) - wrong).gather(0, first)  # mistakes before each string begins
        is_right = (torch.cat([before[1:], wrong.sum(0, keepdim=True)]) == before).float()
        recalled = torch.stack([self._recalled(outputs, batch, k) for k in range(self.strings)]).float()
        return {
            "loss": self.loss(outputs, batch),
            "string_accuracy": over_steps_and_batch(is_right),
            "recall_accuracy": over_steps_and_batch(recalled),
            "last_string_accuracy": is_right[-1].mean(-1),
            "last_recall_accuracy": recalled[-1].mean(-1),
        }

    def _recalled(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch, number: int
    ) -> Bool[Tensor, "runs batch"]:
        """Return where the right one of T and P has the larger output when a string's last but one is asked for."""
        step = self.answer_steps(batch, number)[None, ..., None]
        answer = outputs.gather(0, step.expand(1, *outputs.shape[1:]))[0]
        was_p = batch.inputs[..., P].gather(0, self.second_steps(batch, number)[None])[0] == 1
        return torch.where(was_p, answer[..., P] > answer[..., T], answer[..., T] > answer[..., P])

    def chance(self) -> dict[str, float]:
        """Return the exact levels of the best answer that sees the present symbol alone.

        Its loss follows from how often each symbol comes behind each; behind the E of each string but the last comes B.
        """
        loss, _ = losses_in_a_row(self.repeats, self.behind_b, self.strings)
        level = {"string_accuracy": 0.0, "recall_accuracy": 0.5}
        return {"loss": loss} | level | {f"last_{name}": value for name, value in level.items()}

    def landmarks(self) -> dict[str, float]:
        """Return ``grammar known``: 1/2 for each of two legal symbols, 1 for a single one."""
        return {"grammar known": losses_in_a_row(self.repeats, self.behind_b, self.strings)[1]}


@functools.lru_cache(maxsize=16)
def losses_in_a_row(repeats: int, most: int, strings: int) -> tuple[float, float]:
    """Return the loss of the best answer that sees the present symbol alone, and of one that knows the grammar.

    Where one string has k steps and the others have m in all, the sequence has k + m + strings - 1, one of them from
    each string to the next. The loss is the mean over these steps: each weighs one over their number, averaged over m.
    """
    one = steps_by_length(repeats, most)
    alone = np.concatenate([[0.0], one.lengths.numpy()])  # probability of k = 0..most steps
    others = np.ones(1)
    for _ in range(strings - 1):
        others = np.convolve(others, alone)
    sizes = np.arange(1, most + 1)[:, None] + np.arange(len(others)) + strings - 1
    each = torch.from_numpy((others / sizes).sum(1))  # by k = 1..most
    shares = strings * (each[:, None, None] * one.pairs).sum(0)
    shares[E, B] += (strings - 1) * float(each @ one.lengths)
    return losses_of(shares, strings * float(each @ one.choices))


def _by_run(values: Int[Tensor, "symbols runs strings batch"]) -> Int[Tensor, "places runs batch"]:
    """Return values of strings as those of one sequence of each sample, in any order."""
    return values.transpose(1, 2).flatten(0, 1)


def _shown(batch: Batch, symbol: int) -> Bool[Tensor, "steps runs batch"]:
    """Return where a symbol stands, on scored steps alone."""
    return (batch.inputs[..., symbol] == 1) & scored(batch)


def _begins(batch: Batch) -> Bool[Tensor, "steps runs batch"]:
    """Return where a string begins: at step 0, and behind each E that stands behind T or P.

    Only a string's own last E stands there; one of Reber's grammar stands behind S or V.
    """
    begins = torch.zeros_like(scored(batch))
    begins[0] = True
    second = _shown(batch, T) | _shown(batch, P)
    begins[2:] = second[:-2] & _shown(batch, E)[1:-1] & scored(batch)[2:]
    return begins


def _place(marked: Bool[Tensor, "steps runs batch"], number: int) -> Int[Tensor, "runs batch"]:
    """Return the step of each sample's mark number ``number``, counted from 0."""
    return (marked.cumsum(0) == number + 1).long().argmax(0)
