"""Run a plan: hand its packs to workers, show how it goes, say how it ended."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lrd.records import RecordError
from lrd.spec import Job
from lrd.sweeps.plan import Plan, record_of
from lrd.sweeps.progress import Progress
from lrd.sweeps.workers import Event, Pool, train_pack


def execute(plan: Plan, workers: int) -> Progress:
    """Train all packs of a plan and return what became of every run.

    A single pack trains in this process, several in workers. Ctrl-C lets packs write checkpoints and stops; a second
    Ctrl-C stops at once.
    """
    progress = Progress(plan)
    count = min(workers, len(plan.packs))
    with _display(progress) as show:
        if count <= 1:
            _in_process(plan, progress, show)
        else:
            _in_workers(plan, Pool(count), progress, show)
    return progress


def _in_process(plan: Plan, progress: Progress, show: Any) -> None:
    stop = False

    def ask() -> None:
        nonlocal stop
        stop = True

    def take(event: Event) -> None:
        _keep_failure(event)
        progress.take(event)
        show()

    with _on_interrupt(ask):
        for pack in plan.packs:
            if not stop:
                train_pack(pack, take, lambda: stop)


def _in_workers(plan: Plan, pool: Pool, progress: Progress, show: Any) -> None:
    with _on_interrupt(pool.stop):
        for event in pool.run(plan.packs):
            if event is not None:
                _keep_failure(event)
                progress.take(event)
            show()


def _keep_failure(event: Event) -> None:
    """A failed pack's reason stands in each of its records, with the traceback beside it."""
    if event.kind != "failed":
        return
    for job in event.pack.jobs:
        record = record_of(job)
        if record.finished:
            continue
        with suppress(OSError, RecordError):  # what failed may be the disk itself; the display names it all the same
            record.path.mkdir(parents=True, exist_ok=True)
            (record.path / "error.txt").write_text(event.trace or event.reason)
            maximum = job.run.training.max_updates
            record.status("failed", update=event.update, max_updates=maximum, message=event.reason)


@contextmanager
def _on_interrupt(ask_to_stop: Any) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks to stop, the second is a KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nstopping: writing checkpoints (Ctrl-C again to stop at once)", file=sys.stderr)
        ask_to_stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _display(progress: Progress) -> Iterator[Any]:
    """A live bar on a terminal; elsewhere a plain line now and then."""
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
    """One line a reason: how many runs failed for it, why, and where to read more."""
    by_reason: dict[str, list[Job]] = {}
    for pack, reason in progress.failures:
        by_reason.setdefault(reason, []).extend(job for job in pack.jobs if not record_of(job).finished)
    lines = []
    for reason, jobs in by_reason.items():
        log = record_of(jobs[0]).path / "error.txt"
        lines.append(f"{len(jobs)} run{'s' if len(jobs) > 1 else ''} failed: {reason} (see {log})")
    return lines
