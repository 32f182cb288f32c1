"""Local workers: single-threaded processes that train packs and report on them.

A worker imports once and takes one pack after another. On SIGINT or SIGTERM it finishes the update at hand, writes
checkpoints and stops. A worker that dies takes its pack's progress since the last checkpoint with it and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from lrd.sweeps.plan import PlannedPack

_STOP = False
_STOPPING = {signal.SIGINT, signal.SIGTERM}


@dataclass(frozen=True)
class Event:
    """What happened to a pack: ``progress`` (also its end), ``failed`` with the reason, or ``interrupted``."""

    kind: str
    pack: PlannedPack
    update: int = 0
    active: int = 0
    finished: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    trace: str = ""


def train_pack(pack: PlannedPack, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """Train one pack in this process; failures become an event, so that the sweep goes on."""
    from lrd.records import make_tracker
    from lrd.training import train

    job = pack.jobs[0]
    # One thread: cores are filled by packs, and a result never depends on how many there are. Gradients that vanish
    # pass through denormal numbers, which are slow and, at 1e-38, nothing to a parameter.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32 on a GPU too
    settings = vars(job.tracker)
    tracker = make_tracker(
        settings["name"],
        directory=job.place.folder,
        mode=settings["mode"],
        project=settings["project"],
        entity=settings["entity"],
    )
    try:
        ending = train(
            [j.run for j in pack.jobs],
            job.place,
            tracker,
            job.place.torch_device(),
            should_stop,
            lambda update, active, finished: emit(Event("progress", pack, update, active, finished)),
        )
        if ending.interrupted:
            emit(Event("interrupted", pack, ending.update))
    except Exception as error:  # whatever a pack dies of, the others go on; the reason is kept and shown
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        emit(Event("failed", pack, reason=reason, trace=traceback.format_exc()))
    finally:
        tracker.close()


def _worker(connection: Connection) -> None:
    """Body of a worker process: packs come in, events go out."""

    def stop(number: int, frame: Any) -> None:
        global _STOP
        _STOP = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    while not _STOP:
        try:
            pack = connection.recv()
        except (EOFError, OSError, InterruptedError):
            return
        if pack is None:
            return
        train_pack(pack, connection.send, lambda: _STOP)
        connection.send(None)


class Pool:
    """``count`` workers; iterate over ``run`` for the events of all packs until every pack is done or stopped."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: dict[Connection, Any] = {}
        self._at_work: dict[Connection, PlannedPack] = {}
        self.stopping = False

    def run(self, packs: Sequence[PlannedPack], timeout: float = 0.5) -> Iterator[Event | None]:
        """Events as they come; None when nothing came for ``timeout`` seconds."""
        waiting = list(packs)
        try:
            while waiting or self._at_work:
                while waiting and not self.stopping and len(self._at_work) < self.count:
                    self._hand_out(waiting.pop(0))
                if self.stopping and not self._at_work:
                    return
                ready = wait(list(self._at_work), timeout)
                if not ready:
                    yield None
                for connection in ready:
                    assert isinstance(connection, Connection)
                    event = self._receive(connection)
                    if event is not None:
                        yield event
        finally:
            self.close()

    def stop(self) -> None:
        """Let every worker finish its update and write checkpoints; no further pack is begun."""
        self.stopping = True
        for process in self._processes.values():
            if process.is_alive():
                os.kill(process.pid, signal.SIGTERM)

    def close(self) -> None:
        """End all workers, at once."""
        for connection, process in self._processes.items():
            connection.close()
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
        self._processes.clear()

    def _hand_out(self, pack: PlannedPack) -> None:
        idle = [c for c in self._processes if c not in self._at_work]
        connection = idle[0] if idle else self._start()
        connection.send(pack)
        self._at_work[connection] = pack
        if self.stopping:  # asked to while the worker was being started, so that it was not told
            self.stop()

    def _start(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        # Threads of numerical libraries are set when they are loaded, before a worker's first line runs.
        before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        os.environ.update(dict.fromkeys(before, "1"))
        process = multiprocessing.get_context("spawn").Process(target=_worker, args=(theirs,), daemon=True)
        # Both signals wait until the worker can take them: it imports for two seconds first.
        resource_tracker.ensure_running()  # it would unblock them
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        process.start()
        self._processes[ours] = process
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        theirs.close()
        return ours

    def _receive(self, connection: Connection) -> Event | None:
        try:
            event: Event | None = connection.recv()
        except (EOFError, OSError):
            pack, process = self._at_work.pop(connection), self._processes.pop(connection)
            process.join(timeout=5)
            if self.stopping:
                return Event("interrupted", pack, pack.start)
            code = process.exitcode
            how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
            return Event("failed", pack, reason=f"its worker process died ({how})")
        if event is None:
            del self._at_work[connection]
        return event


def default_workers(device: torch.device) -> int:
    """One worker a core that this process may use, or one a GPU."""
    if device.type == "cuda":
        return 1 if device.index is not None else torch.cuda.device_count()
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
