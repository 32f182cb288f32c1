"""A sweep whose processes are killed at random, again and again, ends with the records of one that nobody touched.

``LRD_CHAOS_SEED`` chooses the moments, victims and signals.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import LRD, assert_equal_records, environment, once, run, run_folders

from lrd.records import RunRecord, holder, open_study

KILLS = 20
SEED = int(os.environ.get("LRD_CHAOS_SEED", "1"))
SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
SWEEP = ["-m", "task=copy,adding,delay", "cell=rnn,lstm", "seed=0,1", "task.gap=10", "tracker=none"]
SMALL = ["cell.hidden_size=8", "training.batch_size=8", "training.eval_samples=32", "training.test_samples=32"]
SMALL += [
    "training.max_updates=300",
    "training.eval_every=50",
    "training.stop_when_solved=false",
    "probe.gradient_flow.samples=4",
]
COMMAND = [LRD, "train", *SWEEP, *SMALL, "hydra.launcher.workers=2"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study that nobody touched."""
    return once(tmp_path_factory, "untouched", lambda folder: run(COMMAND, folder) and None) / "runs" / "scratch"


class Sweeps:
    """Commands on one study, each in a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = folder / "runs" / "scratch"
        self.commands: list[subprocess.Popen[bytes]] = []

    def start(self, count: int) -> None:
        """So many commands at once; what they say goes to one file."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "output").open("ab") as log:
            for _ in range(count):
                command = [*COMMAND, "checkpoint_seconds=0.1", "hydra.launcher.retries=5"]
                self.commands.append(
                    subprocess.Popen(
                        command, cwd=self.folder, env=environment(self.folder), stdout=log, stderr=log, process_group=0
                    )
                )

    def running(self) -> list[int]:
        """Commands that have not ended."""
        return [command.pid for command in self.commands if command.poll() is None]

    def workers(self) -> list[int]:
        """Processes, of any command, that hold runs."""
        locks = [lock for path in self.study.glob("*") if (lock := holder(path)) and lock.alive]
        return sorted({lock.process["pid"] for lock in locks})

    def finished(self) -> int:
        """How many runs have a summary."""
        return len(list(self.study.glob("*/summary.json")))

    def text(self) -> str:
        """All that the commands said."""
        return (self.folder / "output").read_text(encoding="utf-8")

    def end(self) -> None:
        """Leave nothing behind."""
        for pid in self.running():
            os.killpg(pid, signal.SIGKILL)
        for command in self.commands:
            command.wait()


def until(condition: Callable[[], object]) -> None:
    """Wait; the limit is there for a test that hangs."""
    limit = time.monotonic() + 150
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def torment(sweeps: Sweeps, chance: random.Random, kills: int, runs: int) -> int:
    """Kill until so many kills are done, or the runs are; gives the number of kills."""
    done = 0
    while done < kills and sweeps.finished() < runs:
        if not sweeps.running():
            sweeps.start(chance.choice([1, 1, 2]))
        until(lambda: sweeps.workers() or not sweeps.running() or sweeps.finished() == runs)
        time.sleep(chance.choice([0, chance.uniform(0, 0.2), chance.uniform(0, 0.8)]))
        victims = [pid for pid in sweeps.workers() if chance.random() < 0.8]
        if chance.random() < 0.2:
            victims += sweeps.running()
        for victim in victims:
            try:
                os.kill(victim, chance.choice(SIGNALS))
                done += 1
            except ProcessLookupError:  # it ended just now
                continue
    return done


def test_whatever_is_killed_the_records_are_those_of_a_sweep_that_nobody_touched(
    tmp_path: Path, untouched: Path
) -> None:
    chance = random.Random(SEED)
    runs = len(run_folders(untouched))
    kills, rounds = 0, 0
    while kills < KILLS:
        sweeps = Sweeps(tmp_path / str(rounds))
        try:
            kills += torment(sweeps, chance, KILLS - kills, runs)
            until(lambda sweeps=sweeps: not sweeps.running() or sweeps.finished() == runs)  # type: ignore[misc]
            until(lambda sweeps=sweeps: not sweeps.workers())  # type: ignore[misc]
        finally:
            sweeps.end()
        run(COMMAND, sweeps.folder)  # goes on to the end, if there is anything left, and says that all is well
        assert "Traceback" not in sweeps.text(), sweeps.text()
        assert_same_end(sweeps.study, untouched)
        rounds += 1


def assert_same_end(study: Path, untouched: Path) -> None:
    """The same records, no run lock and nothing half written."""
    assert_equal_records(study, untouched)
    ours, theirs = run_folders(study), run_folders(untouched)
    for run_id, path in ours.items():
        assert not list(path.glob("claim*")), path
        states = []
        for folder in (path, theirs[run_id]):
            state = RunRecord(folder.parent.parent, folder.parent.name, run_id).load_checkpoint()
            assert state is not None
            states.append(state["pack"])
        assert states[0]["update"] == states[1]["update"]
        assert torch.equal(states[0]["theta"], states[1]["theta"])
    opened = open_study(study)
    opened.sql("select count(*) from metrics, gradient_flow, gradient_fit").fetchall()
    assert opened.problems == []
