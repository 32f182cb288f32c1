"""Ctrl-C leaves records whole and says how to go on; the same command again ends where no interrupt would have."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import FILES, LRD, assert_equal_records, content, environment, once, run, run_folders

from lrd.records import RunRecord, open_study

COMMAND = [
    "task=adding",
    "task.gap=10",
    "training.max_updates=800",
    "training.eval_every=30",
    "training.solved_evals=99",
]
SWEPT = ["-m", *COMMAND, "cell=rnn,lstm", "seed=0,1"]
ALONE = [*COMMAND, "cell=rnn", "seed=1"]  # one of them
TWO, QUIET = "hydra.launcher.workers=2", "tracker=none"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study that nobody interrupted, trained by one worker."""
    arguments = ["train", *SWEPT, QUIET, "hydra.launcher.workers=1"]
    folder = once(tmp_path_factory, "whole", lambda folder: run([LRD, *arguments], folder) and None)
    return folder / "runs" / "scratch"


def interrupt(arguments: list[str], folder: Path, ready: Callable[[], bool]) -> tuple[str, str]:
    """Start a command, press Ctrl-C when ``ready``: every process of a terminal gets it. Gives stdout and stderr."""
    process = subprocess.Popen(
        [LRD, "train", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        first_line = process.stdout.readline()
        until = time.monotonic() + 60
        while not ready():
            assert time.monotonic() < until
            assert process.poll() is None, "it ended before it could be interrupted"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted: the same command again goes on from the checkpoints"
    return first_line + out, err


def begun(study: Path, runs: int) -> Callable[[], bool]:
    """Whether so many runs of a study are being trained."""
    return lambda: len(list(study.glob("*/status.json"))) >= runs


def assert_whole(study: Path) -> None:
    """Every record can be read, and is finished or waits with a checkpoint."""
    opened = open_study(study)
    opened.sql("select count(*) from metrics, gradient_flow, gradient_fit").fetchall()
    assert opened.problems == []
    for run_id, path in run_folders(study).items():
        record = RunRecord(study.parent, study.name, run_id)
        assert record.state in ("finished", "interrupted")
        assert {file.name for file in path.iterdir()} >= FILES["finished" if record.finished else "checkpoint"]
        assert not list(path.glob(".*"))


def test_an_interrupted_sweep_goes_on_to_the_same_end(tmp_path: Path, whole: Path) -> None:
    study = tmp_path / "runs" / "scratch"
    out, err = interrupt([*SWEPT, TWO], tmp_path, begun(study, 4))
    assert_whole(study)
    assert open_study(study).sql("select count(*) from runs where state = 'interrupted'").fetchall() != [(0,)]
    assert "stopping: writing checkpoints" in err
    assert "unfinished" in out
    done = run([LRD, "train", *SWEPT, TWO], tmp_path)
    assert "unfinished" not in done.stdout
    assert_equal_records(study, whole)
    # the wandb run of a run that was cut off went on under its id
    mirrors = [path.name.split("-", 3)[3] for path in (study / "wandb").glob("offline-run-*")]
    assert set(mirrors) == set(run_folders(study))


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path: Path, whole: Path) -> None:
    study = tmp_path / "runs" / "scratch"
    interrupt([*ALONE, QUIET], tmp_path, begun(study, 1))
    assert_whole(study)
    ((run_id, path),) = run_folders(study).items()
    assert RunRecord(study.parent, study.name, run_id).state == "interrupted"
    run([LRD, "train", *ALONE, QUIET], tmp_path)
    assert content(path) == content(whole / run_id)


def test_an_interrupt_while_workers_start_fails_no_run(tmp_path: Path, whole: Path) -> None:
    study = tmp_path / "runs" / "scratch"
    out, err = interrupt([*SWEPT, QUIET, TWO], tmp_path, lambda: True)
    assert out.startswith("4 runs: 0 finished before, 4 to train in 2 packs\n")
    assert "failed" not in err
    if run_folders(study):  # they were faster
        assert_whole(study)
