"""The jobs of a study, as ``squeue`` shows them. It knows a job until some minutes after its end, accounting or not."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

TIMEOUT = 60.0  # seconds for an answer of the cluster

_FORMAT = "%i|%k|%T|%r"
_ENDED = {
    "BOOT_FAIL": "failed when its node started",
    "CANCELLED": "was cancelled",
    "COMPLETED": "ended and left its runs",
    "DEADLINE": "was ended at its deadline",
    "FAILED": "died",
    "NODE_FAIL": "died with its node",
    "OUT_OF_MEMORY": "died of want of memory (hydra.launcher.memory)",
    "PREEMPTED": "was preempted and not requeued",
    "REVOKED": "was revoked",
    "TIMEOUT": "was killed at its time limit (hydra.launcher.time)",
}
_AT_WORK = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT"}

Key = tuple[str, int]  # the token of a submission, and a job's place in it


@dataclass(frozen=True)
class Seen:
    """A job as ``squeue`` shows it: ``id`` as people write it (12, 12_3), state, and the reason that SLURM gives."""

    id: str
    state: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Return whether it will not run again."""
        return self.state in _ENDED

    @property
    def at_work(self) -> bool:
        """Return whether it runs now."""
        return self.state in _AT_WORK

    @property
    def end(self) -> str:
        """Return how it ended, in words."""
        return _ENDED.get(self.state, "is gone")


def answers(seconds: float = TIMEOUT) -> bool:
    """Return whether the cluster answers a question about no job within some seconds."""
    command = ["squeue", "--noheader", f"--user={os.getuid()}", "--name=lrd-doctor"]
    try:
        return subprocess.run(command, capture_output=True, timeout=seconds).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def jobs_named(name: str) -> dict[Key, Seen] | None:
    """Return this user's jobs of a name; None where the cluster does not answer now."""
    command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}"]
    try:
        done = subprocess.run(
            [*command, f"--name={name}", f"--format={_FORMAT}"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout) if done.returncode == 0 else None


def parse(text: str) -> dict[Key, Seen]:
    """Return jobs by submission and place, from lines of id|comment|state|reason; others' lines are passed over."""
    jobs: dict[Key, Seen] = {}
    for line in text.splitlines():
        parts = line.split("|", 3)
        if len(parts) < 4 or not parts[1].isalnum():
            continue
        id_, token, state, reason = (part.strip() for part in parts)
        place = id_.partition("_")[2] or "0"
        if place.isdigit():
            jobs[token, int(place)] = Seen(id_, state, reason)
    return jobs


def state_of(job: str) -> str | None:
    """Return the state of one job; None where it is not known."""
    command = ["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split()[0] if done.returncode == 0 and done.stdout.split() else None
