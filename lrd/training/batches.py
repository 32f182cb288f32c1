"""The amount of a pack's data in memory at once: small batches are drawn ahead, large evaluations are cut.

Drawing takes some 40 tensor operations whatever their size. A batch is a function of (seed, split, update), so that
drawing ahead changes no number (``lrd.tasks.streams``).
"""

from __future__ import annotations

import torch

from lrd.cells import Cell, units
from lrd.shapes import Int, Tensor
from lrd.tasks import Batch, Task
from lrd.training.curriculum import Curriculum

_STEPS, _NUMBERS = 16, 2**17  # updates drawn ahead at most, and about so many symbols
# Runs are evaluated so many at once that their states fill about this: what fits in caches, or what fills a GPU.
_EVAL_BYTES, _EVAL_BYTES_ON_GPU = 64 * 2**20, 512 * 2**20


def drawn_steps(task: Task, batch_size: int, runs: int) -> int:
    """Return of how many updates the batches are drawn at once."""
    return max(1, min(_STEPS, _NUMBERS // (task.sequence_length * batch_size * runs)))


def evaluated_at_once(task: Task, cell: Cell, samples: int, number: int, device: torch.device) -> int:
    """Return how many runs of a pack are evaluated at once.

    Args:
        task: The task of the runs.
        cell: Their cell.
        samples: Sequences a run.
        number: Bytes of one number.
        device: Where they are evaluated.
    """
    most = _EVAL_BYTES if device.type == "cpu" else _EVAL_BYTES_ON_GPU
    return max(1, most // (task.sequence_length * samples * units(cell) * number))


class Draws:
    """The batches of the updates of a pack, several drawn at once; to be made anew when its runs change."""

    def __init__(self, curriculum: Curriculum, seeds: Int[Tensor, "runs"], batch_size: int) -> None:
        self._curriculum, self._seeds, self._size = curriculum, seeds, batch_size
        self._from = self._steps = 0
        self._ahead: Batch | None = None

    def batch(self, update: int) -> Batch:
        """Return the batch of one update, counted from 0."""
        runs = len(self._seeds)
        if self._ahead is None or not self._from <= update < self._from + self._steps:
            self._draw(update)
            assert self._ahead is not None
        start = (update - self._from) * runs
        return self._ahead.of_runs(slice(start, start + runs))

    def _draw(self, update: int) -> None:
        """Draw the batches of an update and of those behind it that are of the same gap."""
        runs, task = len(self._seeds), self._curriculum.task(update)
        most, steps = drawn_steps(task, self._size, runs), 1
        while steps < most and self._curriculum.task(update + steps) is task:
            steps += 1
        self._from, self._steps = update, steps
        each = torch.arange(update, update + steps, device=self._seeds.device)[:, None].expand(-1, runs).flatten()
        self._ahead = task.batch(self._seeds.repeat(steps), "train", each, self._size)
