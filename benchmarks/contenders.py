"""Who takes part in pack.py: each trains the runs of one shape, adding task, Adam, clipping by norm, float32.

A contender is a function of a shape and a number of runs. It returns what does so many updates of each of these runs,
and a word about how it does them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from machine import cores
from update import stock

BATCH = 32
Go = Callable[[int], None]


@dataclass(frozen=True)
class Shape:
    """What all contenders train: a cell, T, and its hidden size."""

    cell: str
    gap: int
    hidden: int


def lrd(shape: Shape, runs: int, norms: bool = True) -> tuple[Go, str]:
    """Train a pack as ``lrd train`` does, with the training gradient norms of every update; named by its kernel."""
    from lrd.spec import job_from_config
    from lrd.training import Pack

    config = {
        "task": {"name": "adding", "gap": shape.gap},
        "cell": {"name": shape.cell, "hidden_size": shape.hidden},
        "optimizer": {"name": "adam"},
        "training": {"batch_size": BATCH, "gradient_norms": norms},
    }
    pack = Pack([job_from_config(config | {"seed": seed}).run for seed in range(runs)], torch.device("cpu"))

    def go(count: int) -> None:
        for _ in range(count):
            pack.step()

    return go, pack.net.kernel


def lrd_without(shape: Shape, runs: int) -> tuple[Go, str]:
    """Train the same pack without any norms."""
    return lrd(shape, runs, norms=False)


def plain_torch(shape: Shape, runs: int) -> tuple[Go, str]:
    """Train by the plain script, one run after another, with as many threads as this process was given."""
    from lrd.tasks import Adding

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    updates = [stock(shape.cell, Adding(gap=shape.gap), BATCH, shape.hidden) for _ in range(runs)]

    def go(count: int) -> None:
        for update in updates:
            for _ in range(count):
                update()

    return go, f"threads: {torch.get_num_threads()}"


def jax(shape: Shape, runs: int) -> tuple[Go, str]:
    """Train all runs in one compiled program, the fastest of several."""
    from jax_pack import fastest

    return fastest(shape.cell, shape.gap, BATCH, shape.hidden, runs, cores())
