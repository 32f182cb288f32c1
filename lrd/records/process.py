"""Identity of processes, and whether one still lives: never by its number alone, since numbers are used again."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Return what identifies this process among all machines: host, machine, pid, started; in SLURM also job."""
    return dict(_identity(os.getpid()))


@functools.lru_cache(maxsize=2)
def _identity(pid: int) -> dict[str, Any]:
    identity = {"host": socket.gethostname(), "machine": _machine(), "pid": pid, "started": _started(pid)}
    job = slurm_job()
    return identity | ({"job": job} if job else {})


def slurm_job() -> str | None:
    """Return the SLURM job that this process runs in, 12 or in an array 12_3; None outside SLURM."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def alive(process: Mapping[str, Any]) -> bool | None:
    """Return whether a process lives; None where this machine cannot know, as of one on another machine.

    A zombie is dead, and so is a process whose number now belongs to one that started at another time.

    Args:
        process: what ``this_process`` returned in it.
    """
    pid = process.get("pid")
    if process.get("host") != socket.gethostname() or process.get("machine", _machine()) != _machine():
        return None
    try:
        os.kill(pid, 0)  # type: ignore[arg-type]
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there and belongs to another user
        pass
    except (OSError, TypeError, OverflowError):
        return None
    now = _started(int(pid))  # type: ignore[arg-type]
    return now != 0 and (not process.get("started") or not now or now == process["started"])


def _started(pid: int) -> int | None:
    """Return when a process started [ticks since the boot, which never jump]; 0 if it is dead, None if unknown."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
        fields = line.rpartition(b")")[2].decode().split()  # behind the name, which may hold anything
    except FileNotFoundError:
        return 0 if Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    return 0 if fields[0] in "ZX" else int(fields[19])


@functools.cache
def _machine() -> str:
    """Return what identifies this boot and this container's numbering of processes; "" where the system lacks it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
