"""Teams of worker processes: one team a contender, and only one of them works at a time."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch
from contenders import Go, Shape
from machine import cores

Contender = Callable[[Shape, int], tuple[Go, str]]


class Team:
    """Worker processes that share the runs of one contender, and stay from shape to shape.

    Attributes:
        cores: How many cores the workers and their threads may keep busy.
    """

    def __init__(self, contender: Contender, runs: int, workers: int, variables: Mapping[str, str]) -> None:
        """Start the workers.

        Args:
            contender: What each of them does with its share of the runs.
            runs: The runs of all workers together.
            workers: How many there are; none has less than a run.
            variables: Environment variables that they find when their libraries are loaded.
        """
        context = multiprocessing.get_context("spawn")
        self.cores = workers * int(variables.get("OMP_NUM_THREADS", cores()))
        self.pipes = []
        with _environment(variables):
            for worker in range(workers):
                mine, theirs = context.Pipe()
                share = runs // workers + (worker < runs % workers)
                context.Process(target=_work, args=(theirs, contender, share), daemon=True).start()
                theirs.close()  # so that a worker that dies is an end of the stream here, and no silence
                self.pipes.append(mine)

    def prepare(self, shape: Shape) -> str:
        """Make the runs of a shape, warm up, and return the contender's word about how it trains them."""
        return str(self._ask(shape)[0])

    def seconds(self, count: int) -> tuple[float, float]:
        """Do so many updates of each run.

        Returns:
            The wall time [s] until all workers had done theirs, and the processor time [s] of all of them together.
        """
        start = time.perf_counter()
        used = self._ask(count)
        return time.perf_counter() - start, sum(map(float, used))

    def end(self) -> None:
        """Send the workers home."""
        for pipe in self.pipes:
            pipe.send(None)

    def _ask(self, what: Shape | int) -> list[str | float]:
        for pipe in self.pipes:
            pipe.send(what)
        return [pipe.recv() for pipe in self.pipes]


def _work(pipe: Connection, contender: Contender, runs: int) -> None:
    """Serve a team: make the runs of a shape that comes in, do as many updates as are asked for, until None comes."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    go: Go | None = None
    while (what := pipe.recv()) is not None:
        if isinstance(what, Shape):
            go = None  # its memory is free before more is taken
            go, word = contender(what, runs)
            go(2)
            pipe.send(word)
        else:
            assert go is not None
            start = time.process_time()
            go(what)
            pipe.send(time.process_time() - start)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
