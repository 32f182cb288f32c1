"""``make papers``: which studies it trains, by which command, and what it says of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import train_papers
import yaml
from train_papers import FILES, command, exit_status, main, quick_studies

PAPER = {"source": "A. Author (1997)", "result": "It works.", "size": "same", "assumptions": [], "deviations": []}

STOPPING = """
import os, pathlib, signal, sys, time

def stop(*_):
    time.sleep(0.6)  # longer than subprocess.run itself waits for a command that Ctrl-C has reached
    pathlib.Path(sys.argv[1]).write_text("checkpoint")
    sys.exit(130)

signal.signal(signal.SIGINT, stop)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def test_the_studies_that_train_in_minutes_are_those_that_say_so(tmp_path: Path) -> None:
    for name, more in {"b": {"quick": True}, "a": {"quick": True}, "long": {}, "no": {"quick": False}}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"paper": PAPER | more}))
    (tmp_path / "bare.yaml").write_text("seed: 0\n")
    assert quick_studies(tmp_path) == ["a", "b"]
    assert 0 < len(quick_studies()) < len(list(FILES.glob("*.yaml")))


def test_a_study_is_trained_into_the_folder_of_all_with_the_words_that_are_given(tmp_path: Path) -> None:
    program, *words = command("a", tmp_path, ["seed=0"])
    assert Path(program).name == "lrd"
    assert words == ["train", "experiment=papers/a", f"runs_dir={tmp_path}", "seed=0"]


@pytest.mark.parametrize(("statuses", "trained", "status"), [([0, 2, 1], 3, 2), ([0, 130, 0], 2, 130)])
def test_one_that_fails_stops_none_and_ctrl_c_stops_all(
    statuses: list[int],
    trained: int,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[list[str]] = []

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, statuses[len(asked) - 1])

    monkeypatch.setattr(train_papers, "quick_studies", lambda: ["a", "b", "c"])
    monkeypatch.setattr(train_papers.subprocess, "run", run)
    (tmp_path / "b").mkdir()  # a folder without records, beside studies whose training did not begin
    assert main([str(tmp_path), "seed=0"]) == status
    assert asked == [command(name, tmp_path, ["seed=0"]) for name in ("a", "b", "c")][:trained]
    verdicts = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no records")]
    assert verdicts == ([f"no records  {name}" for name in "abc"] if status != 130 else [])


def test_ctrl_c_waits_until_the_study_has_stopped(tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = [sys.executable, "-c", STOPPING, str(state)]
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:  # a terminal signals this process and the command at once
        while not (state.exists() and state.read_text()):
            time.sleep(0.05)
        os.kill(int(state.read_text()), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    assert exit_status(words) == 130
    presser.join()
    assert state.read_text() == "checkpoint"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_a_study_that_fails_or_is_killed_counts_as_failed(code: str, status: int) -> None:
    assert exit_status([sys.executable, "-c", code]) == status
