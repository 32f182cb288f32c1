"""The body of a SLURM job: trains packs; on a signal writes checkpoints and is requeued.

The signals stay blocked from the job's first lines (``lrd.sweeps.slurm_entry``) to its last and are looked for between
updates: no moment is too early for them, and processes that the job starts are spared too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from lrd.records import holder, slurm_job
from lrd.sweeps.events import Event
from lrd.sweeps.failures import keep_failure
from lrd.sweeps.lossy_output import lossy_output
from lrd.sweeps.plan import PlannedPack, record_of
from lrd.sweeps.queue import Queue
from lrd.sweeps.slurm_squeue import TIMEOUT, state_of
from lrd.sweeps.workers import train_pack

OURS = "lrd: "  # how lines of a log begin that are ours
_NOTICES = {signal.SIGUSR2, signal.SIGTERM}


@lossy_output()
def run_job(packs: Sequence[PlannedPack], requeues: int) -> None:
    """Train packs one after another.

    Runs that another process trains are left to it. What fails is kept in the records and tried again by the command
    that watches, not here.

    Args:
        packs: what to train.
        requeues: how often the job may be requeued.

    Raises:
        SystemExit: a pack failed, or runs are left that nobody trains (status 1).
    """
    job = slurm_job() or "?"
    signal.pthread_sigmask(signal.SIG_BLOCK, _NOTICES)
    queue, failed, interrupted = Queue([_known_dead(pack, job) for pack in packs]), False, False

    def take(event: Event) -> None:
        nonlocal failed, interrupted
        if event.kind == "failed":
            failed = True
            keep_failure(event, f"in SLURM job {job}")
        interrupted |= event.kind == "interrupted"

    while not _notices() and (pack := queue.take()):
        if not train_pack(pack, take, lambda: bool(_notices())):
            break  # which the pack has failed of
    if _notices() and (interrupted or not queue.empty):
        _go_again(job, requeues)
        failed = True
    if failed:
        raise SystemExit(1)


def _notices() -> set[signal.Signals]:
    return {signal.Signals(number) for number in signal.sigpending()} & _NOTICES


def _known_dead(pack: PlannedPack, job: str) -> PlannedPack:
    """Return the pack with the run locks named dead that this job held before it was requeued, on whatever node."""
    locks = [holder(record_of(run).path) for run in pack.jobs]
    return replace(pack, dead=pack.dead | {lock.token for lock in locks if lock and lock.job == job})


def _go_again(job: str, requeues: int) -> None:
    """Have this job requeued, which ends it; come back only if that cannot or must not be."""
    done = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    # TERM comes before the end of a cancelled job and of a preempted one. Only the latter is still called running.
    if signal.SIGUSR2 not in _notices() and state_of(job) != "RUNNING":
        _say("it was asked to end")
    elif done >= requeues:
        _say(f"it was requeued {done} times before (hydra.launcher.requeues)")
    else:
        _say("SLURM is asked to requeue it")
        subprocess.run(["scontrol", "requeue", job], timeout=TIMEOUT, check=True)
        time.sleep(TIMEOUT)  # SLURM ends the job meanwhile


def _say(what: str) -> None:
    print(f"{OURS}{what}", file=sys.stderr, flush=True)
