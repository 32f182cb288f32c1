"""Local workers: single-threaded processes that train packs and report on them.

A worker takes one pack after another. On SIGINT, SIGTERM or SIGHUP it finishes the update at hand, writes checkpoints
and stops. A worker that dies takes its pack's progress since the last checkpoint with it and nothing else. Whoever
trains a run holds its run lock (``lrd.records.run_lock``): workers, not the command that started them.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from lrd.sweeps import nursery
from lrd.sweeps.events import Event
from lrd.sweeps.lossy_output import lossy_output
from lrd.sweeps.plan import PlannedPack, record_of
from lrd.sweeps.queue import Queue
from lrd.sweeps.said_once import ToTheSweep, take
from lrd.training.out_of_memory import is_out_of_memory

_STOP = False
_READY, _GONE = "ready", "gone"  # for the next pack; asked to stop, as a worker and not as a sweep, or out of a GPU


def train_pack(pack: PlannedPack, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> bool:
    """Train one pack in this process; failures become an event, so that the sweep goes on.

    Args:
        pack: what to train.
        emit: gets the events.
        should_stop: asked between updates.

    Returns:
        Whether this process can train another one.
    """
    _train_pack(pack, emit, should_stop)
    return _emptied()


def _train_pack(pack: PlannedPack, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    from lrd.records import hold_run_locks, make_tracker
    from lrd.training import train

    job = pack.jobs[0]
    # One thread: cores are filled by packs, and a result never depends on how many there are. Gradients that vanish
    # pass through denormal numbers, which are slow and, at 1e-38, nothing to a parameter.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings = vars(job.tracker)
    tracker = make_tracker(
        settings["name"],
        directory=job.place.folder,
        mode=settings["mode"],
        project=settings["project"],
        entity=settings["entity"],
    )
    try:
        with hold_run_locks([record_of(j).path for j in pack.jobs], pack.dead) as (locks, ours):
            got = [j for j, is_ours in zip(pack.jobs, ours, strict=True) if is_ours and not record_of(j).finished]
            if len(got) < len(pack.jobs):
                emit(Event("left", pack, left=tuple(j for j in pack.jobs if j not in got)))
            if not got:
                return

            def go_on() -> bool:
                if locks.lost:
                    raise RunLockLostError
                return should_stop()

            try:
                ending = train(
                    [j.run for j in got],
                    job.place,
                    tracker,
                    job.torch_device(),
                    go_on,
                    lambda update, active, finished: emit(Event("progress", pack, update, active, finished)),
                )
            except RunLockLostError:
                emit(Event("left", pack, left=tuple(got)))
                return
        if ending.interrupted:
            emit(Event("interrupted", pack, ending.update))
    except (Exception, SystemExit) as error:  # whatever a pack dies of, the others go on; the reason is kept and shown
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        emit(Event("failed", pack, reason=reason, trace=traceback.format_exc(), memory=is_out_of_memory(error)))
    finally:
        tracker.close()


def _emptied() -> bool:
    """Give back what torch keeps of a GPU; return whether this process can go on using it, which some errors end.

    The next pack may be of other sizes, or half of one that did not fit.
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError:
            return False
    return True


class RunLockLostError(Exception):
    """The folder is gone, or another process took us for dead: what we would write is no longer ours to write."""


@lossy_output()
def _worker(connection: Connection, environment: dict[str, str]) -> None:
    """Train the packs that come in and send events out, until the sweep that started this process is gone."""

    def stop(number: int, frame: Any) -> None:
        global _STOP
        _STOP = True

    for number in nursery.stopping():
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, nursery.STOPPING)
    os.environ.update(environment)
    sweep = multiprocessing.parent_process()
    assert sweep is not None

    def should_stop() -> bool:
        return _STOP or not sweep.is_alive()

    sending = threading.Lock()  # threads of a worker log, too

    def emit(event: Event | str | logging.LogRecord) -> None:
        with suppress(OSError), sending:  # OSError: nobody is left to hear it
            connection.send(event)

    logging.getLogger("lrd").addHandler(ToTheSweep(emit))

    while not should_stop():
        try:
            pack = connection.recv()
        except (EOFError, OSError, InterruptedError):
            return
        if pack is None:
            return
        fine = True
        if should_stop():  # asked to while the pack was on its way
            emit(Event("interrupted", pack, pack.start))
        else:
            fine = train_pack(pack, emit, should_stop)
        if should_stop() or not fine:
            emit(_GONE)
            return
        emit(_READY)


class Pool:
    """``count`` workers; iterate over ``run`` for the events of all packs until every pack is done or stopped."""

    STOPPING = "writing checkpoints"

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        """Make a pool that starts its workers when they are needed.

        Args:
            count: how many workers there are.
            gpus: by the names that CUDA_VISIBLE_DEVICES has for them; each worker sees one of them alone.
        """
        self.count, self._gpus = count, gpus
        self._places: dict[Connection, int] = {}  # of workers, from 0, so that a worker's successor gets its GPU
        self._processes: dict[Connection, Any] = {}
        self._at_work: dict[Connection, PlannedPack] = {}
        self.stopping = False

    def run(self, packs: Queue | Sequence[PlannedPack], timeout: float = 0.5) -> Iterator[Event | None]:
        """Yield events as they come; None when nothing came for ``timeout`` seconds."""
        queue = packs if isinstance(packs, Queue) else Queue(packs)
        try:
            while True:
                while not self.stopping and len(self._at_work) < self.count and (pack := queue.take()):
                    self._hand_out(pack)
                if not self._at_work and (self.stopping or queue.empty):
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
        for connection in [c for c in self._processes if c not in self._at_work]:
            if not self._processes[connection].is_alive():  # killed while it was idle
                self._discard(connection)
        idle = [c for c in self._processes if c not in self._at_work]
        connection = idle[0] if idle else self._start()
        self._at_work[connection] = pack
        with suppress(OSError):  # killed just now: that shows when its answer is waited for
            connection.send(pack)
        if self.stopping:  # asked to while the worker was being started, so that it did not hear of it
            self.stop()

    def _start(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        place = min(set(range(len(self._processes) + 1)) - {self._places[c] for c in self._processes})
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[place % len(self._gpus)]
        process = nursery.prepare().Process(target=_worker, args=(theirs, environment), daemon=True)
        process.start()
        self._processes[ours], self._places[ours] = process, place
        theirs.close()
        return ours

    def _receive(self, connection: Connection) -> Event | None:
        try:
            event: Event | str | logging.LogRecord = connection.recv()
        except Exception:  # the end of the stream, or half an event of a worker killed while it spoke
            pack, code = self._at_work.pop(connection), self._discard(connection)
            if self.stopping:
                return Event("interrupted", pack, pack.start)
            how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
            reason = f"its worker process died ({how})"
            return Event("failed", pack, reason=reason, killed=code == -signal.SIGKILL)
        if isinstance(event, Event):
            return event
        if isinstance(event, logging.LogRecord):
            take(event)
            return None
        del self._at_work[connection]
        if event == _GONE:
            self._discard(connection)
        return None

    def _discard(self, connection: Connection) -> int | None:
        """Forget a worker that ends or has ended; return its exit status, -N if signal N killed it."""
        process = self._processes.pop(connection)
        connection.close()
        process.join(timeout=5)
        if process.is_alive():  # it cannot be heard any more, and holds run locks
            process.kill()
            process.join()
        code: int | None = process.exitcode
        return code


def shared_gpus(devices: Sequence[torch.device]) -> list[str]:
    """Return the GPUs that workers share for packs on these devices: all, where every pack takes any; else none."""
    if any(device != torch.device("cuda") for device in devices) or (count := torch.cuda.device_count()) < 2:
        return []
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible[:count] or [str(number) for number in range(count)]


def default_workers(device: torch.device) -> int:
    """Return the number of workers: one a core that this process may use, or one a GPU."""
    if device.type == "cuda":
        return 1 if device.index is not None else torch.cuda.device_count()
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
