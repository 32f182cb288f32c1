"""Closing: how well the closing of a bracket or quote is predicted, by the distance to its opening.

A closing sign of real text can be predicted only by who still knows what was opened, however long ago: the loss at it,
against that distance, shows how far a trained network's memory of such things reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from lrd.cells import read
from lrd.options import OptionError, option
from lrd.probes.base import Probe, Subject
from lrd.probes.states import one_by_one
from lrd.scalars import Columns
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Stream, Task, Text
from lrd.tasks.parts import PROBED


@dataclass(frozen=True)
class Closing(Probe):
    """The loss at closing signs by the distance to their opening: a row a bin of distances that holds any.

    A bin is ``low..high``, a power of two to the last number before the next. Of all closing signs of the probe windows
    whose opening the window shows, with a distance of so many characters: ``count``; ``distance``: their mean distance;
    ``loss``: mean loss of predicting the sign, nats; ``error``: its standard error over signs, nan for a single one
    (windows overlap, so it is a little too small); ``accuracy``: share predicted right; ``unigram``: mean loss of the
    character frequencies of the training part, which see nothing.

    Windows are of this probe's own length, whatever the run was trained on, and cover the whole probe part. The answers
    are those of the network as a whole: of its layers there are no rows.
    """

    name: ClassVar[str] = "closing"
    of_network: ClassVar[bool] = True
    columns: ClassVar[dict[str, str]] = {
        "low": "BIGINT",
        "high": "BIGINT",
        "distance": "DOUBLE",
        "count": "BIGINT",
        "loss": "DOUBLE",
        "error": "DOUBLE",
        "accuracy": "DOUBLE",
        "unigram": "DOUBLE",
    }

    per_decade: int = option(0, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(32, "windows of each third of the text's probe part", ge=1)
    window: int = option(500, "characters of a window: no longer distance is seen", ge=2)

    def check(self, task: Task) -> None:
        if not isinstance(task, Text):
            raise OptionError("window", f"measures brackets and quotes of a text, task {task.name} has none: task=text")
        try:
            replace(task, gap=self.window)
        except OptionError as error:
            raise OptionError("window", error.message) from error
        if not task.has_closers:
            raise OptionError("window", "needs brackets or quotes that close, the text's probe part has none")

    def measure(self, subject: Subject) -> list[Columns]:
        self.check(subject.task)
        return [self._table(run) for run in one_by_one(subject)]

    def _table(self, subject: Subject) -> Columns:
        task = replace(subject.task, gap=self.window)
        assert isinstance(task, Text)
        seen = [self._closed(replace(subject, task=task), task, number) for number in range(PROBED)]
        distances, losses, right, symbols = (torch.cat(parts) for parts in zip(*seen, strict=True))
        unigram = -task.log_frequencies().to(symbols.device)[symbols]
        return by_distance(*(values.cpu().numpy() for values in (distances, losses, right, unigram)))

    def _closed(
        self, subject: Subject, task: Text, number: int
    ) -> tuple[Int[Tensor, "some"], Float[Tensor, "some"], Float[Tensor, "some"], Int[Tensor, "some"]]:
        """Return distance, loss, whether predicted right, and symbol of each closing sign in windows of a number."""
        batch = subject.sequences(self.samples, number)
        distances = task.closers(Stream(subject.seeds, "probe", number), self.samples)
        there = distances > 0
        outputs = read(subject.parameters(), subject.h(batch.inputs), batch.inputs)[there]
        targets = batch.targets[there]
        losses = -torch.log_softmax(outputs, -1).gather(1, targets[:, None])[:, 0]
        return distances[there], losses, (outputs.argmax(-1) == targets).double(), targets


def by_distance(distances: np.ndarray, losses: np.ndarray, right: np.ndarray, unigram: np.ndarray) -> Columns:
    """Return the table of the probe from the numbers of each closing sign.

    Args:
        distances: characters since the opening.
        losses: of predicting the sign, in nats.
        right: 1 where it was predicted right, else 0.
        unigram: the loss of the training part's frequencies, in nats.
    """
    octave = np.frexp(distances.astype(np.float64))[1] - 1  # exactly floor(log2), unlike a logarithm
    octaves, group, count = np.unique(octave, return_inverse=True, return_counts=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(group, values, len(octaves)) / count

    loss = mean(losses)
    variance = np.divide(
        np.bincount(group, np.square(losses - loss[group]), len(octaves)),
        count - 1,
        out=np.full(len(octaves), np.nan),
        where=count > 1,
    )
    return {
        "low": 2 ** octaves.astype(np.int64),
        "high": 2 ** (octaves.astype(np.int64) + 1) - 1,
        "distance": mean(distances),
        "count": count.astype(np.int64),
        "loss": loss,
        "error": np.sqrt(variance / count),
        "accuracy": mean(right),
        "unigram": mean(unigram),
    }
