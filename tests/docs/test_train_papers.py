"""``make papers``: a study that Ctrl-C stops has the time to write its checkpoints."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from train_papers import exit_status

STOPPING = """
import pathlib, signal, sys, time

def stop(*_):
    time.sleep(0.6)  # longer than subprocess.run itself waits for a command that Ctrl-C has reached
    pathlib.Path(sys.argv[1]).write_text("checkpoint")
    sys.exit(130)

signal.signal(signal.SIGINT, stop)
pathlib.Path(sys.argv[1]).write_text("training")
time.sleep(60)
"""


def test_ctrl_c_waits_until_the_study_has_stopped(tmp_path: Path) -> None:
    words = [sys.executable, "-c", STOPPING, str(tmp_path / "state")]
    before = signal.getsignal(signal.SIGINT)
    ready = threading.Event()

    def press() -> None:  # a terminal signals this process and the command at once
        while not (tmp_path / "state").exists():
            ready.wait(0.05)
        (child,) = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()[-1:]
        os.kill(int(child), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    assert exit_status(words) == 130
    presser.join()
    assert (tmp_path / "state").read_text() == "checkpoint"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_a_study_that_fails_or_is_killed_counts_as_failed(code: str, status: int) -> None:
    assert exit_status([sys.executable, "-c", code]) == status
