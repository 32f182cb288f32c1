"""Where worker processes come from: one process that imports what they need, once, and is forked for each.

It is started while the plan is still being made, and never computes anything itself, so that a fork of it is as good
as a fresh process. A worker that has to be replaced need not import anything again. Standard library only.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

STOPPING = {signal.SIGINT, signal.SIGTERM}
_CONTEXT = multiprocessing.get_context("forkserver")
_IMPORTS = ["lrd.sweeps.workers", "lrd.training", "duckdb"]
# Libraries read these when they are loaded, before a worker's first line runs: cores are filled by workers, and glibc
# would give the memory of a batch back after each update, to fetch it again for the next.
VARIABLES = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
}


def prepare() -> multiprocessing.context.ForkServerContext:
    """Start it, if it does not run yet; gives the context whose processes are its forks.

    SIGINT and SIGTERM are blocked in it and in every new fork: a worker unblocks them once it can take them.
    """
    _CONTEXT.set_forkserver_preload(_IMPORTS)
    resource_tracker.ensure_running()  # it would unblock the signals
    with _variables():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return _CONTEXT


def unblock() -> None:
    """For forks that do not take signals themselves: Ctrl-C is their parent's affair, SIGTERM ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


@contextmanager
def _variables() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(VARIABLES)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
