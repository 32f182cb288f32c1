"""wandb's own terminal viewer (``wandb leet``), opened on the offline mirrors of a study."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from lrd.records.files import RecordError, read_json
from lrd.records.wandb_runs import prepare

PARTS = ("cli/leet.py", "bin/wandb-core")  # of the wandb package, which the viewer is made of
SETTINGS = "wandb-leet.json"  # the viewer's name for it, in the folder that WANDB_CONFIG_DIR names
SHOWN = {"media_visible": True, "workspace_media_visible": True}  # the gradient flow; hidden by the viewer's default
#: What the viewer undoes when it ends by itself: other screen, hidden cursor, mouse, pasting, key reports.
PLAIN_SCREEN = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m"


def mirrors_of(study: Path) -> Path:
    """The folder of a study's offline mirrors.

    Raises:
        RecordError: there is no such study, or nothing in it to view.
    """
    if not study.is_dir():
        raise RecordError(f"there is no study at {study}: give the folder of one, such as runs/demo")
    folder = study / "wandb"
    if not any(folder.glob("*run-*/run-*.wandb")):
        raise RecordError(
            f"there are no wandb mirrors in {folder}: runs trained with tracker=wandb leave one each; "
            f"`lrd figures {study}` draws from the records"
        )
    return folder


def check_viewer() -> None:
    """Raise ``RecordError`` where this wandb has no viewer, or there is no terminal to open it in."""
    found = importlib.util.find_spec("wandb")
    home = Path((found and found.origin) or "").parent
    if missing := [part for part in PARTS if not (home / part).exists()]:
        raise RecordError(
            f"this wandb has no terminal viewer ({home / missing[0]} is not there): pip install --force-reinstall "
            "'wandb>=0.31' gets one, on platforms for which wandb has a wheel"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RecordError("the viewer needs a terminal; `wandb leet inspect --summary FOLDER` prints a run without one")


def view(folder: Path) -> int:
    """Open the viewer, and leave the terminal as it was, however the viewer ends; gives its exit status."""
    before = termios.tcgetattr(sys.stdin)
    with _left_to_the_viewer(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as settings:
        prepare(Path(settings))
        (Path(settings) / SETTINGS).write_text(json.dumps(_own_settings() | SHOWN), encoding="utf-8")
        # Offline, and so without reports to wandb.
        variables = {"WANDB_CONFIG_DIR": settings, "WANDB_MODE": "offline"}
        command = [sys.executable, "-P", "-m", "wandb", "leet", "run", str(folder)]
        status = subprocess.Popen(command, env=os.environ | variables).wait()
    if status != 0:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print(PLAIN_SCREEN, end="", flush=True)
    return status


def _own_settings() -> dict[str, object]:
    """The viewer's settings that the user has already."""
    home = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    with contextlib.suppress(OSError, RecordError):
        found = read_json(Path(home) / SETTINGS)
        if isinstance(found, dict):
            return found
    return {}


@contextlib.contextmanager
def _left_to_the_viewer() -> Iterator[None]:
    """Ctrl-C is the viewer's to answer."""
    before = signal.getsignal(signal.SIGINT)

    def nothing(number: int, frame: object) -> None:
        """Unlike SIG_IGN, no child inherits it."""

    signal.signal(signal.SIGINT, nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
