"""The environment of a run: versions, git commit, machine."""

from __future__ import annotations

import functools
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]


def environment(device: str) -> dict[str, Any]:
    """Return versions and machine for environment.json. Never fails: what cannot be found out is None.

    Args:
        device: torch device: ``cpu``, ``cuda``, ``cuda:1``, ...
    """
    import torch

    return {**_fixed(device), "threads": torch.get_num_threads()}


def hardware(device: str) -> str:
    """Return in words what decides on the speed of a device: ``Intel Xeon, 1 thread``."""
    now = environment(device)
    name = str(now["device_name"] or device)
    if not device.startswith("cpu"):
        return name
    return f"{name}, {now['threads']} thread{'s' * (now['threads'] != 1)}"


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def user() -> str:
    """Return the name of the user who runs this process, or the number of one without a name."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""


@functools.cache
def gpu_driver() -> str | None:
    """Return the version of NVIDIA's driver, as its kernel module or ``nvidia-smi`` says; None where neither does."""
    try:
        said = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"\b\d+\.\d+(\.\d+)?\b", said):
            return found[0]
    except OSError:
        pass
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = os.fsdecode(done.stdout).split()
    return lines[0] if lines else None


@functools.cache
def _fixed(device: str) -> dict[str, Any]:
    import numpy as np
    import torch

    import lrd

    commit, dirty, unknown = git_commit()
    return {
        "lrd": lrd.__version__,
        "commit": commit,  # None for an installed wheel
        "dirty": dirty,  # whether tracked files differ from that commit
        **({"commit_unknown": unknown} if unknown else {}),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "device": device,
        "device_name": device_name(device),
        "host": host(),
        "user": user(),
        "executable": sys.executable,
        "package": str(PACKAGE),  # the folder of the lrd that trains, whose commit that is
    }


class Commit(NamedTuple):
    """The commit that code runs from; ``unknown`` says why git gave none of a checkout."""

    name: str | None = None
    dirty: bool | None = None  # whether tracked files differ from it
    unknown: str = ""


@functools.cache
def git_commit(package: Path = PACKAGE) -> Commit:
    """Ask git for the commit of the checkout that a package lies at the top of.

    An installed package has none, even where it lies deeper in some other checkout.
    """
    top = package.parent
    if not (top / ".git").exists():
        return Commit()
    try:
        # no optional locks: many processes of a sweep ask at once, and somebody may be committing
        changed = _git(top, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
        return Commit(_git(top, "rev-parse", "HEAD"), bool(changed))
    except subprocess.CalledProcessError as error:
        said = os.fsdecode(error.stderr).strip() or f"exit status {error.returncode}"
        return Commit(unknown=f"git refused: {said.splitlines()[0]}")
    except subprocess.TimeoutExpired:
        return Commit(unknown="git gave no answer in time")
    except OSError as error:
        return Commit(unknown=f"git cannot be run: {error.strerror}")


def _git(top: Path, *arguments: str) -> str:
    # A checkout of another user (of a group, of a container's image) is no danger: the code that asks came out of it.
    command = ["git", "-C", str(top), "-c", f"safe.directory={top}", "-c", "core.fsmonitor=false", *arguments]
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # as a hook of another repository has them
    variables = {name: value for name, value in os.environ.items() if name not in elsewhere}
    done = subprocess.run(command, capture_output=True, check=True, timeout=10, env=variables)
    return os.fsdecode(done.stdout).strip()


def device_name(device: str) -> str | None:
    """Return what a device is called by its maker; None where nobody says."""
    try:
        import torch

        if torch.device(device).type == "cuda":
            return torch.cuda.get_device_name(device)
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        return names[0] if names else platform.processor() or None
    except Exception:  # a label is never worth a run
        return platform.processor() or None
