"""Two commands on one study share its runs; ``lrd status`` says who holds what."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from commands import LRD, environment, run

from lrd.records import holder, open_study

SWEEP = ["-m", "task=adding", "task.gap=10", "cell=rnn,lstm", "seed=0,1", "tracker=none", "cell.hidden_size=8"]
SWEEP += ["training.eval_every=50", "training.solved_evals=99", "training.batch_size=8", "checkpoint_seconds=0.2"]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [LRD, "train", *SWEEP, "hydra.launcher.workers=1", *more]
    return subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_commands_at_once_do_every_run_once(tmp_path: Path) -> None:
    commands = [start(tmp_path, "training.max_updates=300") for _ in range(2)]
    outputs = [command.communicate(timeout=150) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], outputs
    study = open_study(tmp_path / "runs" / "scratch")
    assert study.sql("select count(outcome) from runs").fetchall() == [(4,)]
    assert not list(study.path.glob("*/claim*"))
    # what each command trained itself: its last line counts all, and the one without work of its own has waited
    assert all("failed" not in err for _, err in outputs)


def test_status_tells_the_living_from_the_dead(tmp_path: Path) -> None:
    command = start(tmp_path, "training.max_updates=10000000")
    study = tmp_path / "runs" / "scratch"
    try:
        limit = time.monotonic() + 60
        while not any(holder(path.parent) for path in study.glob("*/status.json")):
            assert time.monotonic() < limit
            assert command.poll() is None
            time.sleep(0.05)
        alive = run([LRD, "status", "runs/scratch"], tmp_path).stdout
        os.kill(command.pid, signal.SIGKILL)
    finally:
        command.kill()
        command.communicate()
    assert f"held: 2 runs by process {command.pid} on " in alive
    assert alive.rstrip().endswith(", alive")
    gone = run([LRD, "status", "runs/scratch"], tmp_path).stdout
    assert f"held: 2 runs by process {command.pid} on " in gone
    assert gone.rstrip().endswith("gone: the same command again takes over")
