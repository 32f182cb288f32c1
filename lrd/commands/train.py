"""``lrd train``: compose, plan, run, and say how it ended."""

from __future__ import annotations

import sys
from contextlib import suppress

from lrd.commands import INTERRUPTED
from lrd.commands.composed import composed


def run(arguments: list[str]) -> int:
    """Train one run, a sweep or a study."""
    work = composed(arguments, trains=True)
    if isinstance(work, int):
        return work

    from lrd.records import RecordError, open_study
    from lrd.sweeps import tables
    from lrd.sweeps.execute import execute, failures

    print(work.headline, flush=True)
    progress = execute(work.plan, work.workers, work.launcher.retries)
    for folder in work.plan.folders:
        with suppress(RecordError):  # a sweep that was stopped, or failed, before its first record
            print(f"\n{tables.results(open_study(folder))}")
            print(f"records: {folder}    figures: lrd figures {folder}")
    for line in failures(progress):
        print(f"lrd: {line}", file=sys.stderr)
    if progress.interrupted:
        print(INTERRUPTED, file=sys.stderr)
        return 130
    return 1 if progress.failures else 0
