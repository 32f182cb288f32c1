"""Run a plan: hand its packs to workers, show how it goes, say how it ended."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lrd.spec import Job
from lrd.sweeps import nursery
from lrd.sweeps.events import Event
from lrd.sweeps.failures import keep_failure
from lrd.sweeps.launchers import Slurm
from lrd.sweeps.plan import Plan, record_of
from lrd.sweeps.progress import Progress
from lrd.sweeps.queue import Queue, unfinished
from lrd.sweeps.said_once import said_once
from lrd.sweeps.slurm import Cluster
from lrd.sweeps.workers import Pool, shared_gpus, train_pack


def execute(plan: Plan, workers: int, retries: int = 0, slurm: Slurm | None = None) -> Progress:
    """Train all packs of a plan and return what became of every run.

    A single pack trains in this process, several in workers. Runs that another command holds are left to it, and waited
    for. Ctrl-C lets packs write checkpoints and stops; a second Ctrl-C stops at once.

    Args:
        plan: what is to be trained.
        workers: how many packs train at once.
        retries: how often a pack that fails is tried again.
        slurm: the cluster in whose jobs packs train, which Ctrl-C leaves alone; None: they train here.

    Raises:
        SpecError: the cluster refuses the jobs.
    """
    count = min(workers, len(plan.packs))
    # Only where this process is not the one that trains: measuring would come in between.
    measures = slurm is None and count > 1 and all(p.jobs[0].place.torch_device().type == "cpu" for p in plan.packs)
    progress = Progress(plan, count, measures)
    queue = Queue(plan.packs, retries, progress.take)
    with said_once(), _display(progress) as display:

        def show() -> None:
            if queue.elsewhere and not progress.elsewhere:
                holders = ", ".join(queue.holders) or "another process"
                print(f"{len(queue.elsewhere)} runs are trained by {holders}; waiting for them", file=sys.stderr)
            progress.elsewhere = len(queue.elsewhere)
            display()

        if slurm is not None:
            _in_workers(queue, Cluster(slurm, plan), progress, show)
        elif count <= 1:
            if not _in_process(queue, progress, show):
                _in_workers(queue, Pool(1), progress, show)
        else:
            gpus = shared_gpus([pack.jobs[0].place.torch_device() for pack in plan.packs])
            _in_workers(queue, Pool(count, gpus), progress, show)
    return progress


def _in_process(queue: Queue, progress: Progress, show: Callable[[], None]) -> bool:
    """Train in this process; return False where an error has spoiled its GPU, so that the rest needs another one."""
    stop, fine = False, True

    def ask() -> None:
        nonlocal stop
        stop = True

    def take(event: Event) -> None:
        _take(event, queue, progress)
        show()

    with _on_interrupt(ask, Pool.STOPPING):
        while fine and not stop and not queue.empty:
            if pack := queue.take():
                fine = train_pack(pack, take, lambda: stop)
            elif not queue.empty:
                show()
                time.sleep(0.2)
    progress.interrupted |= stop and not queue.empty
    return fine or stop


def _in_workers(queue: Queue, pool: Pool | Cluster, progress: Progress, show: Callable[[], None]) -> None:
    with _on_interrupt(pool.stop, pool.STOPPING):
        for event in pool.run(queue):
            if event is not None and event.kind == "interrupted" and not pool.stopping:
                queue.put_back(event.pack)  # its worker alone was asked to stop
            elif event is not None:
                _take(event, queue, progress)
            show()
    progress.interrupted |= pool.stopping and not queue.empty


def _take(event: Event, queue: Queue, progress: Progress) -> None:
    if event.kind == "left":
        queue.leave(event)
    elif event.kind == "failed":
        outcome = queue.failed(event)
        if not event.kept:
            keep_failure(event, "given up" if outcome.kind == "failed" else "tried again")
        event = outcome
    progress.take(event)


@contextmanager
def _on_interrupt(ask_to_stop: Any, text: str) -> Iterator[None]:
    """Ask to stop at the first SIGINT, SIGTERM or SIGHUP; a SIGINT after it raises a KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print(f"\nstopping: {text} (Ctrl-C again to stop at once)", file=sys.stderr)
        ask_to_stop()

    before = {number: signal.signal(number, handle) for number in nursery.stopping()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _display(progress: Progress) -> Iterator[Any]:
    """Show progress whenever it is called: as a live bar on a terminal, elsewhere as a plain line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        last = time.monotonic()

        def plain() -> None:
            nonlocal last
            if time.monotonic() - last > 10:
                last = time.monotonic()
                print(progress.line(), file=sys.stderr, flush=True)

        yield plain
        print(progress.line(), file=sys.stderr, flush=True)
        return
    with Bar(BarColumn(24), TextColumn("{task.description}"), console=console, transient=False) as bar:
        task = bar.add_task(progress.line(), total=1.0)

        def live() -> None:
            failure = f"\n  newest failure: {progress.newest_failure}" if progress.newest_failure else ""
            bar.update(task, completed=progress.share_done, description=progress.line() + failure)

        yield live
        live()


def failures(progress: Progress) -> list[str]:
    """Return a line for each reason: how many runs failed for it, why, and where to read more."""
    by_reason: dict[str, tuple[str, list[Job]]] = {}
    for pack, reason in progress.failures:
        # A full disk is one reason, whichever files it struck: the first of them is named.
        kind = reason.rpartition(": ")[2] if reason.startswith("RecordError: cannot ") else reason
        by_reason.setdefault(kind, (reason, []))[1].extend(unfinished(pack.jobs))
    lines = []
    for reason, jobs in by_reason.values():
        logs = [log for job in jobs if (log := record_of(job).path / "error.txt").exists() and log.stat().st_size]
        see = f" (see {logs[0]})" if logs else ""  # a full disk may have had no place for it
        lines.append(f"{len(jobs)} run{'s' if len(jobs) > 1 else ''} failed: {reason}{see}")
    return lines
