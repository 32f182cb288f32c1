"""Which process this is, and whether another one still lives: never by its number alone, for numbers are used again."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """What names this process among all of all machines: host, machine, pid, started; job, where it runs in SLURM."""
    return dict(_identity(os.getpid()))


@functools.lru_cache(maxsize=2)
def _identity(pid: int) -> dict[str, Any]:
    identity = {"host": socket.gethostname(), "machine": _machine(), "pid": pid, "started": _started(pid)}
    job = slurm_job()
    return identity | ({"job": job} if job else {})


def slurm_job() -> str | None:
    """The SLURM job that this process runs in, as people write it: 12, or 12_3 in an array; None where in none."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def alive(process: Mapping[str, Any]) -> bool | None:
    """Whether a process lives; None where there is no telling from here, as of one on another machine.

    ``process`` is what ``this_process`` gave there. A process that nobody has waited for yet is dead, and so is one
    whose number now belongs to another, which started at another time.
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
    """When a process started, in ticks since the boot (no clock that can jump); 0: it is dead; None: no telling."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
        fields = line.rpartition(b")")[2].decode().split()  # behind its name, which may hold anything
    except FileNotFoundError:
        return 0 if Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    return 0 if fields[0] in "ZX" else int(fields[19])


@functools.cache
def _machine() -> str:
    """Tells a boot, and a container's own numbering of processes, from every other; "" where the system has no such."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
