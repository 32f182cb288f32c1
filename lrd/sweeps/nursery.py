"""The nursery of worker processes: one process that imports what they need, once, and is forked for each.

It is started while the plan is still being made, and never computes anything itself, so that a fork of it is as good
as a fresh process. A worker that has to be replaced need not import anything again. Standard library only.

Workers import what the command that starts them would: its module search path is theirs, and nothing that merely lies
in the current folder. Its main program, which may be a script that trains as soon as it is read, is not theirs.
"""

from __future__ import annotations

import os
import signal
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

import lrd
from lrd.environment_variables import environment_variables, set_variables
from lrd.sweeps.sockets import short_folder

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_IMPORTS = ["lrd.sweeps.workers", "lrd.training", "lrd.training.programs", "duckdb"]
# Libraries read these when they are loaded, before a worker's first line runs: cores are filled by workers, and glibc
# would give the memory of a batch back after each update, to fetch it again for the next.
VARIABLES = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
}
_SEARCH = ("PYTHONPATH", "PYTHONSAFEPATH")


class OtherCodeError(RuntimeError):
    """A worker found another lrd than the command that started it runs."""


class Fork(ForkServerProcess):
    """A process with the variables, the module search path and the lrd of the one that starts it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = {name: os.environ.get(name) for name in _SEARCH}
        self._lrd = lrd.__file__

    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802
        with _as_workers_see_it():
            return ForkServerProcess._Popen(process)

    def run(self) -> None:
        """Run the target with PYTHONPATH and PYTHONSAFEPATH as its parent has them."""
        set_variables(self._before)
        if lrd.__file__ != self._lrd:
            raise OtherCodeError(f"the command runs {self._lrd}, and its worker imports {lrd.__file__}")
        super().run()


class _Context(ForkServerContext):
    Process = Fork


_CONTEXT = _Context()


def prepare() -> ForkServerContext:
    """Start the nursery, if it does not run yet; return the context whose processes are its forks.

    The signals that stop a sweep are blocked in it and in every new fork: a worker unblocks them once it can take them.
    """
    _CONTEXT.set_forkserver_preload(_IMPORTS)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        with _as_workers_see_it():
            resource_tracker.ensure_running()  # it ignores the others, and would unblock them here
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
            with environment_variables(VARIABLES), short_folder():
                forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return _CONTEXT


def stopping() -> set[signal.Signals]:
    """Return the signals that ask to stop; SIGHUP is none where it is ignored, as under ``nohup``."""
    return {number for number in STOPPING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN}


def unblock() -> None:
    """Let SIGTERM end a fork that does not handle signals itself, and leave Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def search_path() -> str:
    """Return this process's module search path as PYTHONPATH, less the current folder (for Python an empty name).

    PYTHONPATH cannot name folders with a colon.
    """
    return os.pathsep.join(folder for folder in sys.path if folder and os.pathsep not in folder)


@contextmanager
def _as_workers_see_it() -> Iterator[None]:
    """Show multiprocessing, which hands them on, no main program and the search path of workers.

    The variables are for the Python that it starts: the current folder leads the path of any ``python -c``.
    """
    main, path = sys.modules["__main__"], list(sys.path)
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path[:] = [folder for folder in path if folder]
    try:
        with environment_variables({"PYTHONPATH": search_path(), "PYTHONSAFEPATH": "1"}):
            yield
    finally:
        sys.path[:] = path
        sys.modules["__main__"] = main
