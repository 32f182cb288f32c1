"""Text: predict each next character of a real text.

A window of ``gap`` characters is shown, one a step, and after each the next one is asked for; every step is an answer,
and needs whatever of the window helps. Inputs are one-hot. Characters that the training part of the text has fewer than
``least`` times, and those it does not have, are one symbol, "other" (number 0).

The text is cut into parts that share no character (``lrd.tasks.corpus``): the first 70 % for training, then 10 % each
for evaluation, test and probes. A window begins at any character of its part with the same probability, and ends inside
it. ``digest`` stands for the text in a run's identity and record: by default that of the text that is there; given, it
refuses any other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.corpus import Corpus, corpus, known_corpus
from lrd.tasks.items import Item, spread
from lrd.tasks.ngrams import probabilities
from lrd.tasks.overlap import seen_among
from lrd.tasks.pairs import closing_distances
from lrd.tasks.parts import part_number, parts_of
from lrd.tasks.streams import SPLITS, Stream

_HASH = 0x9E3779B97F4A7C15  # odd, and without a pattern


@dataclass(frozen=True)
class Text(Task):
    """Predict the next character at each of ``gap`` steps. The module says what the text and its parts are."""

    gap: int = option(100, "characters of a window", ge=2)
    file: str | None = option(None, "a UTF-8 file; null: Python's own pydoc_data.topics", identity=False)
    digest: str | None = option(None, "which text: first 12 hex digits of its SHA-256; null: whatever is there")
    least: int = option(10, "times that the training part must have a character; rarer ones are one symbol", ge=1)

    name = "text"
    predicts_inputs = True
    classification = True
    smallest_lag = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        found = corpus(self.file, self.digest)
        if not found.alphabet(self.least):
            raise OptionError("least", f"must be smaller: no character comes so often, got {self.least}")
        shortest = min(map(len, found.parts))
        if self.gap >= shortest:
            raise OptionError("gap", f"must be < {shortest}, the length of the text's shortest part, got {self.gap}")
        object.__setattr__(self, "digest", found.digest)

    @property
    def criterion(self) -> str:
        return "loss below that of who knows two characters and no more (lrd's own: that takes memory)"

    @property
    def sequence_length(self) -> int:
        return self.gap

    @property
    def largest_lag(self) -> int:
        return self.gap - 1

    @property
    def loss_steps(self) -> range:
        return range(self.gap)

    @property
    def answers(self) -> int:
        return self.gap

    @property
    def symbols(self) -> int:
        """Number of inputs and outputs: the characters of the alphabet, and 'other'."""
        return len(self._corpus.alphabet(self.least)) + 1

    @property
    def input_size(self) -> int:
        return self.symbols

    @property
    def output_size(self) -> int:
        return self.symbols

    @property
    def _corpus(self) -> Corpus:
        return known_corpus(self.file, str(self.digest))

    def seen_share(self, drawn: int, split: str = "test") -> float:
        """Return the expected share of a split's windows that training has shown; short ones occur in every part."""
        parts = (self._corpus.parts[0], *self._corpus.parts[parts_of(split)])
        train, *others = (_windows(self)[part.start : part.stop - self.gap] for part in parts)
        return seen_among(train, np.concatenate(others), drawn)

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        codes = _tensors(self._corpus, self.least, stream.seeds.device).codes
        windows = codes[self._places(stream, batch_size)]  # [gap + 1, runs, batch]
        inputs = torch.zeros(*windows[1:].shape, self.symbols, device=codes.device)
        inputs.scatter_(3, windows[:-1].unsqueeze(3), 1.0)
        return Batch(inputs, windows[1:].contiguous())

    def _places(self, stream: Stream, batch_size: int) -> Int[Tensor, "characters runs batch"]:
        """Return where in the text the ``gap + 1`` characters of each window stand."""
        first, size = _tensors(self._corpus, self.least, stream.seeds.device).bounds[part_number(stream)].unbind(-1)
        starts = first + stream.integers(size - self.gap, batch_size)
        return starts + torch.arange(self.gap + 1, device=starts.device)[:, None, None]

    def closers(self, stream: Stream, batch_size: int) -> Int[Tensor, "steps runs batch"]:
        """Return how far before each target, in characters, stands the bracket or quote that it closes.

        0 where it closes none, or one that the window does not show. The windows are those that ``draw`` gives for an
        equal stream.
        """
        distances = _distances(self._corpus, stream.seeds.device)[self._places(stream, batch_size)[1:]]
        steps = torch.arange(self.gap, device=distances.device)[:, None, None]
        return torch.where(distances <= steps + 1, distances, 0)

    @property
    def has_closers(self) -> bool:
        """Return whether the probe part has any sign that ``closers`` can give, in windows of whatever length."""
        probed = self._corpus.parts[SPLITS["probe"] :]
        return bool(_distances(self._corpus, torch.device("cpu"))[probed[0].start : probed[-1].stop].any())

    def shown(self, batch: Batch) -> list[Item]:
        """Return the characters at up to ten steps, the first and the last among them."""
        codes = batch.inputs.argmax(-1)
        return [
            Item(f"character {t + 1}", codes[t], torch.full_like(codes[t], t), self.symbols)
            for t in spread(self.gap, 10)
        ]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` (nats a character), ``bits_per_character`` and ``accuracy``."""
        loss = over_steps_and_batch(self.losses(outputs, batch.targets))
        accuracy = over_steps_and_batch((outputs.argmax(-1) == batch.targets).float())
        return {"loss": loss, "bits_per_character": loss / math.log(2), "accuracy": accuracy}

    def chance(self) -> dict[str, float]:
        """Return the levels of the character frequencies of the training part as the answer, on the evaluation part.

        Smoothed as in ``lrd.tasks.ngrams``; in expectation over windows, exactly: characters near the ends of the part
        lie in fewer windows, and count for less.
        """
        loss, accuracy = _levels(self)[0], _accuracy(self)
        return {"loss": loss, "bits_per_character": loss / math.log(2), "accuracy": accuracy}

    def landmarks(self) -> dict[str, float]:
        """Return ``one character known`` (what a bigram model is left with), and two.

        Frequencies of the training part on the evaluation part, as in ``chance``. Of a window's first character two are
        never known; the level ignores that.
        """
        _, one, two = _levels(self)
        return {"one character known": one, "two characters known": two}

    def log_frequencies(self) -> Float[Tensor, "outputs"]:
        """Return what ``chance`` answers: the log probability of each symbol, in float64."""
        train = self._corpus.parts[0]
        # Behind the training part one of each symbol, to ask for.
        every = np.concatenate([self._corpus.codes(self.least)[train.start : train.stop], np.arange(self.symbols)])
        places = np.arange(len(train), len(every))
        return torch.from_numpy(np.log(probabilities(every, range(len(train)), places, 1, self.symbols)))

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["loss"] < self.landmarks()["two characters known"]


class _OnDevice(NamedTuple):
    codes: Int[Tensor, "characters"]
    bounds: Int[Tensor, "parts 2"]  # first character and length of each part


@functools.lru_cache(maxsize=8)
def _tensors(text: Corpus, least: int, device: torch.device) -> _OnDevice:
    """Return the codes of the text on a device."""
    bounds = torch.tensor([(part.start, len(part)) for part in text.parts], device=device)
    return _OnDevice(torch.from_numpy(text.codes(least)).to(device), bounds)


@functools.lru_cache(maxsize=8)
def _distances(text: Corpus, device: torch.device) -> Int[Tensor, "characters"]:
    return torch.from_numpy(closing_distances(text.text)).to(device)


@functools.lru_cache(maxsize=8)
def _windows(task: Text) -> np.ndarray:
    """Return a number for each window of ``gap`` characters of the text, equal for equal windows.

    Two windows that differ may share a number; of natural text that is far too rare to change a share.
    """
    codes = task._corpus.codes(task.least).astype(np.uint64)
    numbers = np.zeros(len(codes) - task.gap + 1, dtype=np.uint64)
    for place in range(task.gap):
        numbers = numbers * np.uint64(_HASH) + codes[place : place + len(numbers)]
    return numbers


def _evaluated(task: Text) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the evaluation part that may be asked for, and the expected share of all targets of each."""
    part = task._corpus.parts[1]
    place, size, gap = np.arange(1, len(part)), len(part), task.gap
    windows = np.minimum(np.minimum(place, size - place), gap)  # a gap fits into a third of the part: only ends differ
    return part.start + place, windows / windows.sum()


@functools.lru_cache(maxsize=64)
def _levels(task: Text) -> tuple[float, float, float]:
    """Return the expected loss on the evaluation part of answers that know 0, 1 and 2 characters."""
    text, (places, share) = task._corpus, _evaluated(task)
    codes, train = text.codes(task.least), text.parts[0]
    orders = (probabilities(codes, train, places, order, task.symbols) for order in (1, 2, 3))
    zero, one, two = (-float(share @ np.log(p)) for p in orders)
    return zero, one, two


@functools.lru_cache(maxsize=64)
def _accuracy(task: Text) -> float:
    """Return the expected share of evaluation targets that are the most frequent symbol of the training part."""
    codes, (places, share) = task._corpus.codes(task.least), _evaluated(task)
    train = task._corpus.parts[0]
    most = np.bincount(codes[train.start : train.stop]).argmax()
    return float(share[codes[places] == most].sum())
