"""Training goes on when nobody reads what it prints, and a terminal that hangs up stops it with its checkpoints."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shlex
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from commands import FILES, LRD, TINY, environment, run_folders

from lrd.records import RunRecord

pytestmark = pytest.mark.slow

CELL = """
from dataclasses import dataclass
from lrd.cells import RNN
print("a custom cell is read", flush=True)
@dataclass(frozen=True)
class Talking(RNN):
    name = "talking"
    def parameters(self, input_size, generator):
        print("a custom cell is trained", flush=True)
        return super().parameters(input_size, generator)
"""
SMALL = ["task.gap=3", "cell.hidden_size=4", "tracker=none", "hydra.launcher.workers=2"]
SWEEP = [LRD, "train", "-m", "cell=custom,lstm", "cell.path=cell.py:Talking", *SMALL, *TINY]
ENDLESS = [LRD, "train", "-m", "cell=rnn,lstm", *SMALL, "training.max_updates=10000000", "checkpoint_seconds=1"]


@pytest.mark.parametrize("streams", ["> /dev/full 2> /dev/full", "<&- >&- 2>&-", "2>&1 | true"])
def test_training_goes_on_when_nobody_listens(streams: str, tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text(CELL)
    script = f"{{ {shlex.join(SWEEP)}; echo $? >status; }} {streams}"
    subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment(tmp_path), timeout=170)
    assert (tmp_path / "status").read_text(encoding="utf-8") == "0\n"
    folders = run_folders(tmp_path / "runs" / "scratch").values()
    assert len(folders) == 2
    assert all({file.name for file in folder.iterdir()} >= FILES["finished"] for folder in folders)


def in_a_terminal(command: list[str], folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command at the head of a terminal of its own; and what the terminal hangs up by when it is closed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder, TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, ours


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_hangs_up_stops_training_but_under_nohup(ignored: bool, tmp_path: Path) -> None:
    nohup = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"] if ignored else []
    process, terminal = in_a_terminal([*nohup, *ENDLESS], tmp_path)
    study = tmp_path / "runs" / "scratch"

    def updates() -> list[int]:
        records = [RunRecord(study.parent, study.name, run_id) for run_id in run_folders(study)]
        return [(record.read_status() or {}).get("update", 0) for record in records]

    def wait_for_updates(more_than: int) -> None:
        until = time.monotonic() + 90
        while len(now := updates()) < 2 or min(now) <= more_than:
            with contextlib.suppress(BlockingIOError):
                os.read(terminal, 65536) if not closed else None
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)

    closed = False
    try:
        os.set_blocking(terminal, False)
        wait_for_updates(0)
        os.close(terminal)
        closed = True
        if ignored:
            wait_for_updates(max(updates()))
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    for run_id, folder in run_folders(study).items():
        assert RunRecord(study.parent, study.name, run_id).state == "interrupted"
        assert {file.name for file in folder.iterdir()} >= FILES["checkpoint"]
