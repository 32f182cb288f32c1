"""Training with a wandb mirror that is cut off, cannot be reached or dies: records whole, mirror made good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import BIN, LRD, assert_equal_records, environment, once, run, run_folders
from wandb_bench import KEY, Bench, serving

from lrd.records.mirror_content import PICTURED

RUN = ["task=adding", "task.gap=10", "cell=rnn", "cell.hidden_size=4", "training.max_updates=600"]
RUN += [
    "training.eval_every=20",
    "training.eval_samples=32",
    "training.test_samples=32",
    "probe.gradient_flow.samples=4",
]
COMMAND = [LRD, "train", *RUN, "training.stop_when_solved=false", "checkpoint_seconds=0.05"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")


@pytest.fixture(scope="session")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study that nobody mirrored nor touched."""
    return once(tmp_path_factory, "unseen", lambda folder: run([*COMMAND, "tracker=none"], folder) and None)


@pytest.fixture
def server() -> Iterator[Bench]:
    with serving() as bench:
        yield bench


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something that the process does; the limit is there for a test that hangs."""
    limit = time.monotonic() + 100

    def holds() -> object:
        try:
            return condition()
        except FileNotFoundError:  # a folder that was there when it was named, and is only tried
            return False

    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)


def kill_halfway(folder: Path, *arguments: str, **variables: str) -> None:
    """Kill the command once it has a checkpoint and its mirror has begun."""
    process = start(folder, *arguments, **variables)
    try:
        until(lambda: list(folder.glob("runs/scratch/*/checkpoint.pt")), process)
        until(lambda: list(folder.glob("runs/scratch/wandb/*run-*/run-*.wandb")), process)
        time.sleep(0.1)
    finally:
        process.kill()
        process.communicate()
    assert not list(folder.glob("runs/scratch/*/summary.json")), "it was too fast to be killed"


def history(folder: Path) -> list[dict[str, Any]]:
    command = [str(BIN / "wandb"), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [record["history"]["item"] for record in records if record["type"] == "history"]


def scalars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without their times and pictures."""
    return [
        {name: value for name, value in row.items() if not name.startswith(("_t", "_r", *PICTURED))} for row in rows
    ]


@pytest.fixture(scope="session")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows of the mirror of a run that nothing happened to."""
    folder = once(tmp_path_factory, "mirrored-run", lambda folder: run(COMMAND, folder) and None)
    (only,) = folder.glob("runs/scratch/wandb/offline-run-*")
    return history(only)


def test_a_killed_run_goes_on_in_its_offline_mirror(
    tmp_path: Path, unseen: Path, mirrored: list[dict[str, Any]]
) -> None:
    kill_halfway(tmp_path)
    run(COMMAND, tmp_path)
    assert_equal_records(tmp_path / "runs/scratch", unseen / "runs/scratch")
    (run_id,) = run_folders(tmp_path / "runs/scratch")
    folders = sorted((tmp_path / "runs/scratch/wandb").glob("offline-run-*"))
    assert [folder.name.split("-", 3)[3] for folder in folders] == [run_id] * 2
    rows = history(folders[-1])
    assert scalars(rows) == scalars(mirrored)  # of both parts: what the kill cost the first folder stands in the second
    name = "gradient_flow/h.caption"
    assert [row[name] for row in rows if name in row][-1] == [row[name] for row in mirrored if name in row][-1]


def test_a_killed_run_goes_on_under_its_id_on_the_server(
    tmp_path: Path, server: Bench, mirrored: list[dict[str, Any]]
) -> None:
    kill_halfway(tmp_path, "tracker.mode=online", **server.environment)
    done = run([*COMMAND, "tracker.mode=online"], tmp_path, **server.environment)
    assert "wandb" not in done.stderr
    (run_id,) = run_folders(tmp_path / "runs/scratch")
    assert server.asked == [run_id] * 2
    rows = server.rows(run_id)
    assert scalars(rows) == scalars(mirrored)
    assert (
        "sent: 0 runs; on the server before: 1"
        in run([LRD, "sync", "runs/scratch"], tmp_path, **server.environment).stdout
    )


def test_a_server_that_is_not_there_costs_a_warning(tmp_path: Path, unseen: Path) -> None:
    done = run([*COMMAND, "tracker.mode=online"], tmp_path, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY=KEY)
    (line,) = [line for line in done.stderr.splitlines() if "wandb" in line]
    assert "kept offline from here on; `lrd sync runs/scratch` sends it later" in line
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert_equal_records(tmp_path / "runs/scratch", unseen / "runs/scratch")


def test_a_wandb_service_that_is_killed_costs_a_warning(tmp_path: Path, unseen: Path, server: Bench) -> None:
    process = start(tmp_path, "tracker.mode=online", **server.environment)
    try:
        until(lambda: list(tmp_path.glob("runs/scratch/*/checkpoint.pt")), process)
        services = [pid for pid in children(process.pid) if "wandb-core" in command_of(pid)]
        assert len(services) == 1
        os.kill(services[0], signal.SIGKILL)
        err = process.communicate(timeout=100)[1]
    finally:
        process.kill()
    assert process.returncode == 0, err
    (line,) = [line for line in err.splitlines() if "wandb" in line]
    assert "go on without the wandb mirror; `lrd sync runs/scratch` makes up for it" in line
    assert "Traceback" not in err
    assert_equal_records(tmp_path / "runs/scratch", unseen / "runs/scratch")
    (run_id,) = run_folders(tmp_path / "runs/scratch")
    assert "sent: 1 runs" in run([LRD, "sync", "runs/scratch"], tmp_path, **server.environment).stdout
    assert server.last(run_id) == 600


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text(encoding="utf-8").split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
