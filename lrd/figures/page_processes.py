"""Processes that save the pages of figures at the same time: drawing takes most of the time of a figure of many pages.

Each page is saved in a process forked for it, which has the figure as it is and sends back nothing but its error. With
one core, or on a system where forks are not safe, pages are saved in place, one after another; the files are the same.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

Work = Callable[[], object]


@dataclass
class _Pages:
    """Pages that are being saved, by the connection on which each reports, and what went wrong with others."""

    forks: bool
    running: dict[Connection, tuple[str, Any]] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


_pages: _Pages | None = None  # None: outside of ``together``


@contextmanager
def together(failed: dict[str, Exception] | None = None) -> Iterator[None]:
    """Save pages at the same time inside (``save``); all are saved at the end of the outermost ``together``.

    A page that cannot be saved stops no other.

    Args:
        failed: Where to put what each page raised, by the name of the page; ``ChildProcessError`` for one whose process
            was killed. If it is None, the first error is raised at the end.
    """
    global _pages
    if _pages is not None:
        yield
        return
    pages = _pages = _Pages(forks=_cores() > 1 and sys.platform == "linux")  # elsewhere system libraries break in forks
    try:
        yield
        while pages.running:
            _collect(pages)
    finally:
        _pages = None
        for _, process in pages.running.values():  # after an error: what the others write is whole
            process.join()
    if failed is not None:
        failed |= pages.failed
    elif pages.failed:
        raise next(iter(pages.failed.values()))


def save(name: str, work: Work) -> None:
    """Save a page by calling ``work``: in a process beside others inside ``together``, else at once."""
    if _pages is None:
        work()
        return
    if not _pages.forks:
        try:
            work()
        except Exception as error:
            _pages.failed[name] = error
        return
    while len(_pages.running) >= _cores():
        _collect(_pages)
    context = multiprocessing.get_context("fork")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, sender))
    with warnings.catch_warnings():
        # Python warns of locks that threads of duckdb or BLAS may hold: what is forked here uses neither's.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()
    _pages.running[answer] = name, process


def _run(work: Work, sender: Connection) -> None:
    gc.disable()  # a collection would copy every page of memory that is shared
    try:
        work()
        sender.send(None)
    except Exception as error:
        sender.send(_portable(error))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process: a stranger's own class may not be."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _collect(pages: _Pages) -> None:
    """Wait until a page is saved."""
    for answer in wait(list(pages.running)):
        assert isinstance(answer, Connection)
        name, process = pages.running.pop(answer)
        try:
            error = answer.recv()
        except EOFError:
            error = ChildProcessError("a process that saved a figure was killed: is there memory enough?")
        answer.close()
        process.join()
        if error is not None:
            pages.failed[name] = error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
