"""Retention: how much of what was shown can still be read from the state, step by step.

A linear readout in closed form is fitted to some probe sequences at one step and scored on others, for each item that
the task shows and each state variable. Others are drawn apart: of a task with few sequences they may be the same ones
(``lrd.tasks.overlap``; ``task.seen_share(samples)`` of them are expected to be). What it scores is what a linear
readout could use; the network's own readout sees h alone and was trained for its answers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from lrd.cells import Part
from lrd.options import option
from lrd.probes.base import Probe, Subject
from lrd.probes.ridge import fit_ridge, out_of_sample, standard_error, unit
from lrd.probes.states import at_lags, latest_answer, one_by_one
from lrd.scalars import DTYPES, Columns
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks import Item

#: Numbers of the probe sequences; gradient flow and gates use number 0.
TRAINING, TESTING = 1, 2
#: Steps at which fewer sequences than this have shown an item get no row: a score from so few says nothing.
LEAST = 8


@dataclass(frozen=True)
class Retention(Probe):
    """How well each item can be read from the state: a row a (state variable, step, item) from where the item is shown.

    ``score``: accuracy for an item that is a class (ridge on one-hot targets, the largest output counts), R^2 for a
    value, which may be negative; on ``sequences`` that were not fitted. ``chance``: what a readout of nothing scores,
    which answers with the mean of the training sequences: for classes the accuracy of their most frequent class, for
    values 0. ``error``: standard error of the score over test sequences. ``t`` and ``lag`` are those of gradient flow
    (samples aligned at their last answer); ``since``: steps since the item was shown, their mean where that differs by
    sample. Sequences that have not shown the item yet are left out of fit and score. nan where states overflow.

    Each layer's state is read. A cell that reads backward comes to an item from the end: it has rows at the step that
    shows the item and those before, every ``stride`` steps from step 0 on, and ``since`` counts the steps that it has
    read from the item on. (In further layers of a bidirectional network a cell may know of an item before it comes to
    it, from the layer below; there are no rows of that.)
    """

    name: ClassVar[str] = "retention"
    columns: ClassVar[dict[str, str]] = {
        "item": "VARCHAR",
        "variable": "VARCHAR",
        "t": "BIGINT",
        "lag": "BIGINT",
        "since": "DOUBLE",
        "score": "DOUBLE",
        "chance": "DOUBLE",
        "error": "DOUBLE",
        "sequences": "BIGINT",
    }

    per_decade: int = option(1, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(256, "sequences that readouts are fitted to", ge=LEAST)
    test_samples: int = option(256, "sequences drawn apart, that readouts are scored on", ge=LEAST)
    stride: int = option(5, "measure at every so many steps, counted back from the last answer", ge=1)
    ridge: float | None = option(
        None, "ridge strength relative to the states' mean square; null: cross-validated on the fitted sequences", gt=0
    )

    def measure(self, subject: Subject) -> list[Columns]:
        return [self._table(run) for run in one_by_one(subject)]

    def _table(self, subject: Subject) -> Columns:
        batches = [subject.sequences(size, k) for size, k in ((self.samples, TRAINING), (self.test_samples, TESTING))]
        latest = max(latest_answer(subject.task, batch) for batch in batches)
        first = 0 if subject.part.is_backward else latest % self.stride  # so that one is the last step that it reads
        lags = torch.arange(latest - first, -1, -self.stride, device=subject.seeds.device)
        shown = []
        for batch in batches:
            last = subject.task.answer_steps(batch, -1)
            inputs = subject.driven(batch.inputs)
            states = at_lags(subject.cell, subject.parameters(), inputs, last, lags, subject.part)
            steps = (last - lags[:, None, None])[:, 0]
            of_run = {name: s[:, 0] for name, s in states.items()}
            shown.append(_Sequences(of_run, steps, subject.task.shown(batch), subject.part))
        training, testing = shown
        for variable in subject.cell.measured_names:
            size = unit(training.states[variable])
            for sequences in shown:
                sequences.states[variable] /= size
        rows = [
            {"variable": variable, "t": latest - lag, "lag": lag, **row}
            for variable in subject.cell.measured_names
            for j, lag in enumerate(lags.tolist())
            for row in self._scores(training, testing, variable, j)
        ]
        return {name: np.array([row[name] for row in rows], dtype=DTYPES[kind]) for name, kind in self.columns.items()}

    def _scores(self, training: _Sequences, testing: _Sequences, variable: str, j: int) -> list[dict[str, Any]]:
        """Return a row for each item at the step with number ``j``; items shown in the same sequences share one fit."""
        shared: dict[bytes, list[int]] = defaultdict(list)
        for k in range(len(training.items)):
            masks = [sequences.has_seen(j, k) for sequences in (training, testing)]
            if all(int(mask.sum()) >= LEAST for mask in masks):
                shared[b"".join(mask.cpu().numpy().tobytes() for mask in masks)].append(k)
        rows = []
        for numbers in shared.values():
            seen, tested = training.has_seen(j, numbers[0]), testing.has_seen(j, numbers[0])
            x, x_test = training.states[variable][j][seen], testing.states[variable][j][tested]
            items = [training.items[k] for k in numbers]
            targets = [_targets(item, seen) for item in items]
            width = torch.tensor([target.shape[1] for target in targets], device=x.device)
            group = torch.arange(len(items), device=x.device).repeat_interleave(width)
            readout = fit_ridge(x, torch.cat(targets, 1), group, self.ridge)
            outputs = torch.split(readout(x_test), width.tolist(), 1)
            constants = torch.split(readout.y_mean, width.tolist())
            for k, item, output, constant in zip(numbers, items, outputs, constants, strict=True):
                asked, since = testing.items[k], testing.since(j, k)[tested].double().mean()
                score, chance, error = _score(asked, asked.values[0][tested], output, constant)
                row = {"item": item.name, "since": float(since), "score": score, "chance": chance, "error": error}
                rows.append(row | {"sequences": len(x_test)})
        return rows


@dataclass(frozen=True)
class _Sequences:
    """The states of some sequences at chosen steps, and what the sequences showed."""

    states: dict[str, Float[Tensor, "lags batch _"]]
    steps: Int[Tensor, "lags batch"]
    items: list[Item]
    part: Part

    def since(self, j: int, item: int) -> Int[Tensor, "batch"]:
        """Return how many steps the part has read since the one that shows an item; below 0: it is not there yet."""
        ahead = self.steps[j] - self.items[item].steps[0]
        return -ahead if self.part.is_backward else ahead

    def has_seen(self, j: int, item: int) -> Bool[Tensor, "batch"]:
        return (self.since(j, item) >= 0) & (self.steps[j] >= 0)


def _targets(item: Item, seen: Bool[Tensor, "batch"]) -> Float[Tensor, "some targets"]:
    """Return what a readout is fitted to: one-hot classes, or the value."""
    values = item.values[0][seen]
    if item.classes is None:
        return values.double()[:, None]
    return torch.nn.functional.one_hot(values.long(), item.classes).double()


def _score(
    item: Item, truth: Tensor, output: Float[Tensor, "some targets"], constant: Float[Tensor, "targets"]
) -> tuple[float, float, float]:
    """Return score, chance and standard error on the test sequences."""
    if not bool(output.isfinite().all()):
        return (float("nan"),) * 3
    if item.classes is None:
        truth = truth.double()[:, None]
        score, influences = out_of_sample((output - truth).square(), (constant - truth).square())
        return float(score), 0.0, float(standard_error(influences))
    right = (output.argmax(1) == truth).double()
    chance = (truth == constant.argmax()).double().mean()
    return float(right.mean()), float(chance), float(standard_error(right))
