"""Curricula over the gap, after Zaremba & Sutskever (2014), "Learning to execute".

Of N updates, with G gaps from ``curriculum_from`` to the task's own, update k = 0, 1, ..., N - 1 trains on

* ``naive``: every gap in turn, from the smallest, over the first share s of the updates, then the task's own: the
  number min(G - 1, floor(k G / (s N))) of them. In the paper the next step comes when learning stalls;
* ``mixed``: one of them, all as likely. In the paper every sample has its own;
* ``combined``: that of naive or that of mixed, both as likely. The paper does not say how often which.

The gap of an update is a function of the update alone, and the same for all seeds. So the runs of a pack share the
shape of their batches, no run depends on its companions, and a run goes on from a checkpoint as it would have.
Evaluation, test and probes are always at the task's own gap.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from lrd.spec import Training
from lrd.spec.curriculum import gaps
from lrd.tasks import Task

#: Curricula whose gap changes with almost every update: none of them is worth recording for a GPU.
RESTLESS = ("mixed", "combined")
_SAMPLE = 1000  # updates of which the mean length of sequences is taken, at most


class Curriculum:
    """The task that each update of a training has: one task at several gaps.

    Attributes:
        restless: Whether the gap changes with almost every update.
    """

    def __init__(self, task: Task, training: Training) -> None:
        """Begin the curriculum of a task, which stands at the gap that is to be learnt."""
        self._task, self._kind = task, training.curriculum
        self.restless = self._kind in RESTLESS
        own = range(task.gap, task.gap + 1)
        self._gaps = own if self._kind == "none" else gaps(task, training.curriculum_from)
        self._grows = training.curriculum_share * training.max_updates
        self._tasks = {task.gap: task}

    def gap(self, update: int) -> int:
        """Return the gap of an update, counted from 0."""
        if self._kind == "none":
            return self._task.gap
        kind = self._kind
        if kind == "combined":
            kind = "naive" if _uniform("strategy", update) < 0.5 else "mixed"
        size = len(self._gaps)
        number = size * update / self._grows if kind == "naive" else size * _uniform("gap", update)
        return self._gaps[min(size - 1, int(number))]

    def task(self, update: int) -> Task:
        """Return the task of an update, counted from 0: one object for each gap."""
        gap = self.gap(update)
        if gap not in self._tasks:
            self._tasks[gap] = dataclasses.replace(self._task, gap=gap)
        return self._tasks[gap]

    def mean_gap(self, start: int, end: int) -> float:
        """Return the mean gap of the updates from ``start`` on and before ``end``, of which there is at least one."""
        return sum(map(self.gap, range(start, end))) / (end - start)

    def share_of_steps(self, start: int, end: int) -> float:
        """Return how long their sequences are on average, as a share of the task's own; of many updates, some."""
        if self._kind == "none" or end <= start:
            return 1.0
        seen = range(start, end, -(-(end - start) // _SAMPLE))
        return sum(self.task(update).sequence_length for update in seen) / len(seen) / self._task.sequence_length

    def updates_at_the_gap(self, updates: int) -> Sequence[int]:
        """Return those of the first ``updates`` updates that train on the task's own gap."""
        if self._kind == "none":
            return range(updates)
        return [update for update in range(updates) if self.gap(update) == self._task.gap]


def without(training: Training) -> Training:
    """Return the options of training on the task's own gap alone."""
    norms = False if training.apart_from_norms else training.gradient_norms  # without one, null might turn them on
    return dataclasses.replace(
        training, curriculum="none", curriculum_from=None, curriculum_share=0.5, gradient_norms=norms
    )


def _uniform(what: str, update: int) -> float:
    """Return a number in [0, 1) that is a function of an update and of what it is for, without a tensor."""
    digest = hashlib.sha256(f"curriculum {what} {update}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
