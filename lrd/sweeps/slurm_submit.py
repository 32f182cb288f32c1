"""Submission of packs as SLURM job arrays, by submitit; what SLURM refuses is one line."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lrd.extras import missing
from lrd.spec import SpecError
from lrd.sweeps import nursery, slurm_entry
from lrd.sweeps.launchers import Slurm
from lrd.sweeps.plan import PlannedPack
from lrd.sweeps.slurm_job import run_job
from lrd.sweeps.slurm_ledger import Ledger
from lrd.sweeps.slurm_squeue import TIMEOUT, Key

#: What SLURM's refusals speak of, and the options that say so.
_OPTIONS = {
    r"account|association": "account",
    r"partition": "partition",
    r"qos": "qos",
    r"feature|constraint": "constraint",
    r"time ?limit": "time",
    r"array": "max_array_size",
    r"memory": "memory",
    r"gres": "gpus",
    r"node configuration|node count|cpu": "memory, cpus, gpus or constraint",
}


class RefusedError(SpecError):
    """SLURM takes no jobs like these, or none now: one line."""


def check(options: Slurm) -> None:
    """Ask SLURM whether it would take a job with these options.

    Raises:
        RefusedError: it would not, or submitit or SLURM are missing; the option is named.
    """
    if line := missing("hydra/launcher=slurm", "slurm"):
        raise RefusedError(line)
    wanted = {key.replace("_", "-"): value for key, value in _resources(options).items()}
    flags = [f"--{key}={value}" for key, value in wanted.items()]
    try:
        done = subprocess.run(
            ["sbatch", "--test-only", *flags, "--wrap=true"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
        )
    except FileNotFoundError:
        raise RefusedError(
            "hydra/launcher=slurm: there is no sbatch here; go where jobs are sent from, or use hydra/launcher=local"
        ) from None
    except subprocess.TimeoutExpired:
        raise RefusedError(f"hydra/launcher=slurm: SLURM did not answer in {TIMEOUT:.0f} s; try again later") from None
    if done.returncode:
        raise _refusal(done.stderr, options)


def arrays(packs: Sequence[PlannedPack], options: Slurm) -> list[list[tuple[PlannedPack, ...]]]:
    """Return the jobs of each array, and the packs of each job: as many arrays as ``max_array_size`` asks for."""
    size = options.packs_per_job
    jobs = [tuple(packs[start : start + size]) for start in range(0, len(packs), size)]
    return [jobs[start : start + options.max_array_size] for start in range(0, len(jobs), options.max_array_size)]


def submit(packs: Sequence[PlannedPack], options: Slurm, ledger: Ledger) -> dict[Key, tuple[PlannedPack, ...]]:
    """Send the packs of one study; return the packs of each job.

    An array waits for the end of the one before, so that no more than ``options.array`` jobs run at once. If a later
    one is refused, those before stand.

    Args:
        packs: what to send.
        options: what to ask the cluster for.
        ledger: the study's, which notes what is sent.

    Raises:
        RefusedError: the first array is refused.
    """
    sent: dict[Key, tuple[PlannedPack, ...]] = {}
    before: str | None = None
    for jobs in arrays(packs, options):
        token = uuid.uuid4().hex[:12]
        ledger.intend(token, [[job.run.run_id for pack in packs for job in pack.jobs] for packs in jobs])
        try:
            before = _send(jobs, options, ledger, token, before)
        except RefusedError:
            if not sent:
                raise
            break
        ledger.submitted(token, before)
        sent |= {(token, place): packs for place, packs in enumerate(jobs)}
    return sent


def _send(
    jobs: Sequence[tuple[PlannedPack, ...]], options: Slurm, ledger: Ledger, token: str, before: str | None
) -> str:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    # -I -S: as little as possible before signals are held back
    python = shlex.join([sys.executable, "-I", "-S", str(Path(slurm_entry.__file__))])
    try:
        with (
            _outside_of_jobs(),
            _uninterrupted(),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # it prints what it raises
            executor = SlurmExecutor(ledger.folder, python=python)
            executor.update_parameters(**_parameters(options, ledger.name, token, before))
            sent = executor.map_array(run_job, jobs, [options.requeues] * len(jobs))
    except (FailedJobError, FailedSubmissionError) as error:
        raise _refusal(str(error), options) from error
    return str(sent[0].job_id).partition("_")[0]


def _resources(options: Slurm) -> dict[str, Any]:
    """Return what a job asks of the cluster, by the names of sbatch."""
    asked = {
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
        "constraint": options.constraint,
        "time": options.time,
        "nodes": 1,
        "cpus_per_task": options.cpus,
        "gpus_per_node": options.gpus or None,
        "mem": f"{max(1, round(options.memory * 1024))}M",
    }
    return {key: value for key, value in asked.items() if value is not None}


def _parameters(options: Slurm, name: str, token: str, before: str | None) -> dict[str, Any]:
    """Return all parameters for submitit."""
    exports = [f"export {name}={value}" for name, value in nursery.VARIABLES.items()]
    exports += [f"export PYTHONPATH={shlex.quote(nursery.search_path())}${{PYTHONPATH:+:$PYTHONPATH}}"]
    return {
        **_resources(options),
        "job_name": name,
        "comment": token,
        "array_parallelism": options.array,
        "signal_delay_s": options.signal_seconds,
        "setup": [*options.setup, *exports],
        "dependency": f"afterany:{before}" if before else None,
        "wckey": None,
        "additional_parameters": {"requeue": True},
    }


@contextlib.contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Hide the variables of the job that this process runs in, which jobs sent from here would take for theirs."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("SLURM_JOB", "SLURM_ARRAY"))}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: it reaches sbatch too, and the id of what that may have sent would be lost."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, nursery.STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _refusal(stderr: str, options: Slurm) -> RefusedError:
    """Return sbatch's last words as an error, with the option that they are about in front."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = re.sub(r"^(sbatch: )?(error: )?", "", lines[-1]) if lines else "sbatch failed and did not say why"
    found = (names for pattern, names in _OPTIONS.items() if re.search(pattern, said, re.IGNORECASE))
    names = next(found, None)
    if names is None:
        return RefusedError(f"hydra/launcher=slurm: SLURM refuses the jobs: {said}")
    values = {name: getattr(options, name) for name in re.findall(r"\w+", names) if hasattr(options, name)}
    got = ", ".join(f"{name}={value}" for name, value in values.items())
    return RefusedError(f"hydra.launcher.{names}: SLURM refuses the jobs: {said} (got {got}); change it")
