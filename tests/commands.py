"""Running the commands as a user does, and comparing what two sweeps left on disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lrd.records import RunRecord

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
LRD = str(BIN / "lrd")
FILES = {
    "checkpoint": {"run.json", "environment.json", "status.json", "checkpoint.pt"},
    "finished": {"run.json", "environment.json", "status.json", "summary.json"}
    | {"metrics.parquet", "gradient_flow.parquet", "gradient_fit.parquet"},
}
TINY = ["training.max_updates=2", "training.eval_samples=8", "training.test_samples=8"]
MINIATURE = ["seed=0,1", "tracker=none", *TINY]  # of a study
SWEEP = ["task=copy,adding,delay", "cell=rnn,lstm", "task.gap=10,20", "seed=range(2)", "training.max_updates=50"]


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a user who is logged in nowhere, with one thread a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_", "COMP_"))}
    path = f"{BIN}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"HOME": str(home), "PATH": path, "OMP_NUM_THREADS": "1", "WANDB_ERROR_REPORTING": "false"} | more


def run(command: list[str], folder: Path, status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; its exit status must be ``status``."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=170
    )
    assert done.returncode == status, f"{command}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def slurm_answers() -> bool:
    """Whether there is a cluster to send jobs to."""
    if shutil.which("sinfo") is None:
        return False
    try:
        return subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder made by ``make`` once for all processes of a test run under xdist; the others wait for it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".made").exists():
            folder.mkdir()  # a maker that failed before leaves it: every user then fails here
            make(folder)
            folder.with_suffix(".made").touch()
    return folder


def run_folders(study: Path) -> dict[str, Path]:
    """The folders of a study's runs by run id."""
    return {path.parent.name: path.parent for path in sorted(study.glob("*/run.json"))}


def content(folder: Path) -> dict[str, Any]:
    """All of a finished record that must be the same however often it was cut off and wherever it was trained."""
    record = RunRecord(folder.parent.parent, folder.parent.name, folder.name)
    summary = record.read_summary()
    assert summary is not None, f"{folder} is not finished"
    kept: dict[str, Any] = {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}
    return kept | {"summary": repr({key: value for key, value in summary.items() if key != "seconds"})}


def assert_equal_records(study: Path, other: Path) -> None:
    """Both studies hold the same finished runs, bit for bit."""
    ours, theirs = run_folders(study), run_folders(other)
    assert ours.keys() == theirs.keys()
    different = [run_id for run_id in ours if content(ours[run_id]) != content(theirs[run_id])]
    assert not different


@contextlib.contextmanager
def process_as_before() -> Iterator[None]:
    """Undo what a command that runs inside the tests' own process does to that process."""
    import torch

    path, variables = list(sys.path), dict(os.environ)
    try:
        yield
    finally:
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)
        torch.set_flush_denormal(False)
