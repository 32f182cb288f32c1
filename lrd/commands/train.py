"""``lrd train``: compose, plan, run, and say how it ended."""

from __future__ import annotations

import sys
from contextlib import suppress

from lrd.commands import fail
from lrd.sweeps import nursery


def run(arguments: list[str]) -> int:
    """Train one run, a sweep or a study."""
    from lrd.hydra_main import CompositionError, compose_from_command_line

    try:
        inbox = compose_from_command_line(arguments)
    except CompositionError as error:
        return fail(str(error))
    if not inbox.configs:  # --help, --cfg and the like: Hydra has answered
        return 0
    if len(inbox.configs) > 1 and inbox.launcher.get("name") == "local":
        nursery.prepare()  # it imports torch while we do

    from lrd.records import RecordError, open_study
    from lrd.spec import SpecError
    from lrd.sweeps import tables
    from lrd.sweeps.execute import execute, failures
    from lrd.sweeps.launchers import Slurm, launcher_from_options
    from lrd.sweeps.plan import jobs_from_configs, plan, writable

    try:
        launcher = launcher_from_options(inbox.launcher)
        jobs = jobs_from_configs(inbox.configs, launcher.here)
        launcher.check()
        workers = launcher.workers_at(jobs[0].place)
        for job in jobs:
            writable(job.place.folder)
        work = plan(jobs, workers)
    except (SpecError, RecordError) as error:
        return fail(str(error))
    left = len(work.runs) - len(work.finished)
    print(
        f"{len(work.runs)} runs: {len(work.finished)} finished before, {left} to train in {len(work.packs)} packs",
        flush=True,
    )
    try:
        progress = execute(work, workers, launcher.retries, launcher if isinstance(launcher, Slurm) else None)
    except SpecError as error:  # the cluster refused what it had allowed a moment ago
        return fail(str(error))
    for folder in work.folders:
        with suppress(RecordError):  # a sweep that was stopped, or failed, before its first record
            print(f"\n{tables.results(open_study(folder))}")
            print(f"records: {folder}    figures: lrd figures {folder}")
    for line in failures(progress):
        print(f"lrd: {line}", file=sys.stderr)
    if progress.interrupted:
        print(launcher.interrupted, file=sys.stderr)
        return 130
    return 1 if progress.failures else 0
