"""The share of test sequences that a run has met in training: in closed form, or else counted on a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lrd.custom import source_of
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec
from lrd.tasks import Task
from lrd.training.curriculum import Curriculum

#: Where nothing is known in closed form: numbers of training inputs that are drawn again, about, and the test sequences
#: that are searched for among them.
NUMBERS, TESTED = 2**22, 256


def overlap(spec: RunSpec, updates: int) -> dict[str, Any]:
    """Return the scalars ``seen_share`` and ``seen_counted`` of a run's summary.

    Sequences of a curriculum's smaller gaps are others than those of the test, and do not count.

    Args:
        spec: The run.
        updates: How many updates it has had.

    Returns:
        ``seen_share``: the share of test sequences that are expected among those trained on. ``seen_counted``: None
        where that is known in closed form (``Task.seen_share``); else the number of training sequences, the first ones
        of the run, among which the test sequences were searched for. Among all of them there may be more.
    """
    at_the_gap = Curriculum(spec.task, spec.training).updates_at_the_gap(updates)
    share = spec.task.seen_share(len(at_the_gap) * spec.training.batch_size) if _says(spec.task) else None
    counted = None
    if share is None:
        share, counted = _counted(spec, at_the_gap)
    return {"seen_share": share, "seen_counted": counted}


def log10_sequences(task: Task) -> float | None:
    """Return log10 of the number of different sequences of a task; None where the task does not say."""
    return task.log10_sequences if _says(task) else None


def _says(task: Task) -> bool:
    """Return whether a task's own class says how likely its sequences are; a user's may draw others than its base."""
    kind = type(task)
    return source_of(kind) is None or bool({"likelihoods", "seen_share"} & vars(kind).keys())


def _counted(spec: RunSpec, updates: Sequence[int]) -> tuple[float, int]:
    """Return the share of ``TESTED`` test sequences that are among the first ones drawn, and how many those are."""
    task, seeds, size = spec.task, torch.tensor([spec.seed]), spec.training.batch_size
    of_update = task.sequence_length * task.input_size * size
    updates = updates[: max(1, NUMBERS // of_update)]
    at_once = max(1, NUMBERS // 16 // of_update)
    seen: set[bytes] = set()
    for first in range(0, len(updates), at_once):
        steps = torch.tensor(updates[first : first + at_once])
        seen.update(_named(task.batch(seeds.repeat(len(steps)), "train", steps, size).inputs))
    asked = list(_named(task.batch(seeds, "test", 0, TESTED).inputs))
    return sum(name in seen for name in asked) / len(asked), len(updates) * size


def _named(inputs: Float[Tensor, "time runs batch inputs"]) -> Iterator[bytes]:
    """Yield a digest of each sequence: equal for equal inputs."""
    for sequence in inputs.flatten(1, 2).transpose(0, 1).contiguous() + 0.0:  # there is no -0 then
        yield hashlib.blake2b(sequence.numpy().tobytes(), digest_size=16).digest()
