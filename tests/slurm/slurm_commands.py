"""A small sweep in SLURM, started and watched as a user would, and the cluster's side of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import LRD, environment, run

from lrd.records import RunRecord
from lrd.sweeps.slurm_ledger import Ledger
from lrd.sweeps.slurm_squeue import Seen, jobs_named

FAULTS = Path(__file__).parent / "faults"
STUDY = Path("runs") / "scratch"
SWEEP = [LRD, "train", "-m", "task=adding", "task.gap=10", "seed=0,1", "tracker=none", "device=cpu"]
SWEEP += ["cell.hidden_size=8", "training.batch_size=8", "training.eval_samples=32", "training.test_samples=32"]
SWEEP += [
    "checkpoint_seconds=0.5",
    "training.max_updates=200",
    "training.eval_every=20",
    "training.stop_when_solved=false",
    "probe.gradient_flow.samples=4",
]
LOCAL = ["hydra.launcher.workers=2"]
SLURM = ["hydra/launcher=slurm", "hydra.launcher.poll_seconds=0.2", "hydra.launcher.array=1"]
SLURM += ["hydra.launcher.memory=0.5", "hydra.launcher.time=10"]
LIMIT = 120.0  # seconds after which a test that waits has failed


def variables(fault: str = "") -> dict[str, str]:
    return {"PYTHONPATH": str(FAULTS), "LRD_FAULT": fault}


def train(folder: Path, *more: str, status: int = 0, fault: str = "") -> subprocess.CompletedProcess[str]:
    """The sweep, to its end; of its RNNs alone, in one job, unless ``more`` says otherwise."""
    return run([*SWEEP, "cell=rnn", *SLURM, *more], folder, status, **variables(fault))


def of_rnns(study: Path, folder: Path) -> Path:
    """The study without its LSTMs."""
    folder.mkdir()
    for path in study.glob("rnn-*"):
        (folder / path.name).symlink_to(path)
    return folder


class Watched:
    """The sweep in the background, and its jobs."""

    def __init__(self, folder: Path, *more: str, fault: str = "", cancels: bool = True) -> None:
        self.cancels = cancels  # jobs left at the end
        self.study = folder / STUDY
        self.ledger = Ledger(self.study)
        self.command = subprocess.Popen(
            [*SWEEP, "cell=rnn", *SLURM, *more],
            cwd=folder,
            env=environment(folder, **variables(fault)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind: not the command, nor its jobs."""
        self.command.kill()
        self.command.communicate()
        if self.cancels or error[0] is not None:
            cancel(self.ledger)

    def jobs(self) -> list[Seen]:
        return live(self.ledger)

    def end(self, status: int = 0) -> tuple[str, str]:
        """Wait for the command; gives what it said."""
        out, err = self.command.communicate(timeout=LIMIT)
        assert self.command.returncode == status, f"{out}\n{err}"
        assert "Traceback" not in err
        return out, err

    def over(self) -> bool:
        """Whether the command has ended; jobs that were requeued start at once instead of after two minutes."""
        for job in self.jobs():
            if held(job):
                subprocess.run(
                    ["scontrol", "update", f"JobId={job.id}", "StartTime=now"], capture_output=True, timeout=LIMIT
                )
        return self.command.poll() is not None

    def interrupt(self) -> None:
        os.killpg(self.command.pid, signal.SIGINT)


def until(condition: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Wait for something, and give it."""
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def begun(sweep: Watched, update: int = 0) -> Seen | None:
    """A job, once runs are trained and one has a status of this update or a later one."""
    if not any(state == "running" and at >= update for state, at in updates(sweep.study).values()):
        return None
    return next((job for job in sweep.jobs() if job.at_work), None)


def live(ledger: Ledger) -> list[Seen]:
    """The study's jobs that wait or run."""
    return [job for job in (jobs_named(ledger.name) or {}).values() if not job.ended]


def cancel(ledger: Ledger) -> None:
    subprocess.run(["scancel", f"--name={ledger.name}"], capture_output=True, timeout=LIMIT)
    until(lambda: not live(ledger))


def held(job: Seen) -> bool:
    """Whether a job was requeued: SLURM starts it two minutes later."""
    return job.state == "PENDING" and job.reason == "BeginTime"


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT).stdout


def submissions(study: Path) -> list[list[list[str]]]:
    """The runs of the jobs of each submission."""
    entries = [json.loads(line) for line in Ledger(study).path.read_text(encoding="utf-8").splitlines()]
    return [entry["runs"] for entry in entries if "runs" in entry]


def updates(study: Path) -> dict[str, tuple[str, int]]:
    """State and update of each run's status."""
    found = {}
    for path in study.glob("*/status.json"):
        status = RunRecord(study.parent, study.name, path.parent.name).read_status() or {}
        found[path.parent.name] = (status["state"], status["update"])
    return found
