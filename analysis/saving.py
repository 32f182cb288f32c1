"""Pages of a figure saved beside each other, on all cores: drawing takes most of the time of a figure of many pages.

Each page is saved in a process forked for it, which has the figure as it is and hands back nothing but its error. Where
there is one core, or a system that does not fork, pages are saved in place, one after another; the files are the same.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

Work = Callable[[], object]

_running: dict[Connection, Any] | None = None  # by where its answer comes from; None: outside of ``together``


@contextmanager
def together() -> Iterator[None]:
    """Let what is handed to ``save`` inside run at the same time; all of it is done at the end of the outermost.

    Raises what the first of them raised, and ``ChildProcessError`` for one that was killed.
    """
    global _running
    if _running is not None or _cores() < 2 or sys.platform != "linux":  # elsewhere system libraries break in forks
        yield
        return
    _running = {}
    try:
        yield
        while _running:
            _collect(_running)
    finally:
        left, _running = _running, None
        for process in left.values():  # after an error: what the others write is whole
            process.join()


def save(work: Work) -> None:
    """Run ``work``: at once, or beside others where that is asked for."""
    if _running is None:
        work()
        return
    while len(_running) >= _cores():
        _collect(_running)
    context = multiprocessing.get_context("fork")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, sender))
    with warnings.catch_warnings():
        # Python warns of locks that threads of duckdb or BLAS may hold: what is forked here uses neither's.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()
    _running[answer] = process


def _run(work: Work, sender: Connection) -> None:
    gc.disable()  # a collection would copy every page of memory that is shared
    try:
        work()
        sender.send(None)
    except Exception as error:
        sender.send(error)


def _collect(running: dict[Connection, Any]) -> None:
    """Wait for one that is done."""
    for answer in wait(list(running)):
        assert isinstance(answer, Connection)
        process = running.pop(answer)
        try:
            error = answer.recv()
        except EOFError:
            error = ChildProcessError("a process that saved a figure was killed: is there memory enough?")
        answer.close()
        process.join()
        if error is not None:
            raise error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
