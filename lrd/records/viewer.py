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

PARTS = ("cli/leet.py", "bin/wandb-core")  # files of the wandb package that the viewer needs
SETTINGS = "wandb-leet.json"  # the viewer's settings, in the folder that WANDB_CONFIG_DIR names
SHOWN = {"media_visible": True, "workspace_media_visible": True}  # pictures of gradient flow, hidden by default
#: Undoes what the viewer sets, and resets itself only when it ends well: screen, cursor, mouse, pasting, keys.
PLAIN_SCREEN = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m"


def mirrors_of(study: Path) -> Path:
    """Return the folder of a study's offline mirrors.

    Raises:
        RecordError: there is no such study, or it has no mirrors.
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
    """Open the viewer on a folder, and return its exit status. The terminal is restored however the viewer ends."""
    before = termios.tcgetattr(sys.stdin)
    with _left_to_the_viewer(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as settings:
        prepare(Path(settings))
        (Path(settings) / SETTINGS).write_text(json.dumps(_own_settings() | SHOWN), encoding="utf-8")
        # Offline, so that the viewer reports nothing to wandb.
        variables = {"WANDB_CONFIG_DIR": settings, "WANDB_MODE": "offline"}
        command = [sys.executable, "-P", "-m", "wandb", "leet", "run", str(folder)]
        status = subprocess.Popen(command, env=os.environ | variables).wait()
    if status != 0:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print(PLAIN_SCREEN, end="", flush=True)
    return status


def _own_settings() -> dict[str, object]:
    """Return the settings of the viewer that the user has."""
    home = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    with contextlib.suppress(OSError, RecordError):
        found = read_json(Path(home) / SETTINGS)
        if isinstance(found, dict):
            return found
    return {}


@contextlib.contextmanager
def _left_to_the_viewer() -> Iterator[None]:
    """Leave Ctrl-C to the viewer."""
    before = signal.getsignal(signal.SIGINT)

    def nothing(number: int, frame: object) -> None:
        """Do nothing. No child inherits this, unlike SIG_IGN."""

    signal.signal(signal.SIGINT, nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
