"""A sweep whose jobs and command are killed, cancelled and requeued at random ends as one that nobody touched.

``LRD_CHAOS_SEED`` chooses moments and blows, ``LRD_CHAOS_BLOWS`` how many there are.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

from commands import assert_equal_records
from slurm_commands import LIMIT, Watched, begun, submissions, until

from lrd.records import open_study

SEED = int(os.environ.get("LRD_CHAOS_SEED", "1"))
BLOWS = int(os.environ.get("LRD_CHAOS_BLOWS", "5"))
KINDS = ["kill", "kill", "USR2", "TERM", "requeue", "cancel", "command"]
OPTIONS = ["cell=rnn,lstm", "hydra.launcher.array=2", "hydra.launcher.retries=20"]


def strike(sweep: Watched, job: str, kind: str) -> None:
    """One blow; a job that ended just now does not feel it."""
    if kind == "command":
        sweep.command.kill()
        return
    commands = {"requeue": ["scontrol", "requeue", job], "cancel": ["scancel", job]}
    signalled = ["scancel", f"--signal={kind.upper()}", job]
    subprocess.run(commands.get(kind, signalled), capture_output=True, timeout=LIMIT)


def test_whatever_is_struck_the_records_are_those_of_a_sweep_that_nobody_touched(
    tmp_path: Path, untouched: Path
) -> None:
    chance = random.Random(SEED)
    blows, rounds = 0, 0
    while blows < BLOWS:
        folder = tmp_path / str(rounds)
        folder.mkdir()
        done = False
        while not done:
            with Watched(folder, *OPTIONS, fault="slow:0.02" if blows < BLOWS else "", cancels=False) as sweep:
                while blows < BLOWS and not sweep.over():
                    job = until(lambda sweep=sweep: begun(sweep) or sweep.over())
                    time.sleep(chance.choice([0, chance.uniform(0, 0.5), chance.uniform(0, 2)]))
                    if job is not True:
                        strike(sweep, job.id, chance.choice(KINDS))
                        blows += 1
                until(sweep.over)
                done = sweep.command.returncode == 0
                assert sweep.command.returncode in (0, 1, -9), sweep.command.communicate()
        assert_equal_records(folder / "runs" / "scratch", untouched)
        assert open_study(folder / "runs" / "scratch").problems == []
        assert submissions(folder / "runs" / "scratch")
        rounds += 1
