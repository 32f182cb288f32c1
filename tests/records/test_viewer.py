"""``lrd watch``: wandb's terminal viewer on a study, in a terminal of the test's own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import LRD, environment, run
from made import make_record

from lrd.records import RecordError, viewer

LIMIT = 60.0  # seconds for the viewer to show something, and to end; it takes two


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal of 40 lines and 150 columns: ours, and that of what runs in it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read_until(descriptor: int, words: str) -> str:
    """What was written, without colours and places, up to some words."""
    text, end = b"", time.monotonic() + LIMIT
    while words not in (plain := re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode(errors="replace"))):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {words!r} in {plain}"
        text += os.read(descriptor, 65536)
    return plain


@pytest.mark.slow
def test_it_shows_metrics_and_the_gradient_flow_and_leaves_the_terminal_as_it_was(
    trained: Path, terminal: tuple[int, int]
) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [LRD, "watch", "runs/scratch"],
        cwd=trained,
        env=environment(trained, TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    try:
        shown = read_until(ours, "gradient_flow/h")
        assert "eval_loss" in shown
        os.write(ours, b"q")
        while process.poll() is None:  # its last words fill the terminal's buffer otherwise
            if select.select([ours], [], [], 0.05)[0]:
                os.read(ours, 65536)
        assert process.returncode == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait(LIMIT)


def test_a_viewer_that_dies_leaves_the_terminal_as_it_was(
    terminal: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, theirs = terminal
    script = tmp_path / "viewer"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nstty -F {os.ttyname(theirs)} raw -echo\nexit 3\n')
    script.chmod(0o755)
    before = termios.tcgetattr(theirs)
    with os.fdopen(theirs, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "executable", str(script))
        assert viewer.view(tmp_path / "wandb") == 3
    assert termios.tcgetattr(theirs) == before
    assert "\x1b[?25h" in capsys.readouterr().out  # the cursor is there again
    assert (tmp_path / "arguments").read_text() == f"-P -m wandb leet run {tmp_path}/wandb\n"


def test_pictures_are_shown_and_the_users_other_settings_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: tuple[int, int]
) -> None:
    mine = {"media_visible": False, "color_scheme": "mine"}
    (tmp_path / viewer.SETTINGS).write_text(json.dumps(mine))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    script = tmp_path / "viewer"
    script.write_text(f'#!/bin/sh\ncp "$WANDB_CONFIG_DIR/{viewer.SETTINGS}" {tmp_path}/seen\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with os.fdopen(terminal[1], closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert viewer.view(tmp_path) == 0
    assert json.loads((tmp_path / "seen").read_text()) == mine | viewer.SHOWN
    assert json.loads((tmp_path / viewer.SETTINGS).read_text()) == mine


@pytest.mark.slow
def test_what_cannot_be_viewed_is_one_line_with_a_way_out(trained: Path, tmp_path: Path) -> None:
    make_record(tmp_path / "runs", "a")
    cases = [
        (tmp_path, "runs/s", "there are no wandb mirrors in runs/s/wandb: runs trained with tracker=wandb leave one"),
        (tmp_path, "runs/other", "there is no study at runs/other: give the folder of one"),
        (trained, "runs/scratch", "the viewer needs a terminal; `wandb leet inspect --summary FOLDER` prints a run"),
    ]
    for folder, study, words in cases:
        done = run([LRD, "watch", study], folder, 2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert words in done.stderr


def test_a_wandb_without_the_viewer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = SimpleNamespace(origin=str(tmp_path / "wandb" / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    with pytest.raises(RecordError, match=r"no terminal viewer \(.*leet.py is not there\): pip install"):
        viewer.check_viewer()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RecordError, match="no terminal viewer"):
        viewer.check_viewer()
