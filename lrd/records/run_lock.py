"""The run lock: a file in a run's folder that names the process that trains it.

Commands that share a study never train a run twice. The lock is ``claim.json``. It is made with its content at once and
only where there is none (by a hard link), which works on shared file systems too. The lock of a dead process is not
removed but succeeded: its successor is ``claim.<token>.json``, where the token is the dead lock's own, so that exactly
one of two takers makes it. The lock at the end of this chain counts. A release removes ``claim.json`` first: the rest
of the chain then counts for nothing.

A dead process of this machine is known at once (``lrd.records.process``). A process of another machine is taken for
dead when its heartbeat, the time stamp of its lock, has stood still for ``LIMIT`` seconds while this process watched:
no clock is ever compared with another, and a clock that jumps changes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.records.files import TEMPORARY, RecordError, read_json, storage_error
from lrd.records.process import alive, this_process

BEAT = 10.0  # seconds between heartbeats
LIMIT = 120.0  # seconds without one after which a process of another machine is taken for dead

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}  # what file systems without links say
_ROOT = "claim.json"
_ALL = "claim*.json"


@dataclass(frozen=True)
class RunLock:
    """One lock as it stands on disk."""

    path: Path
    token: str
    process: dict[str, Any]

    @property
    def alive(self) -> bool | None:
        """Whether the process lives; None where this machine cannot know."""
        return alive(self.process)

    @property
    def who(self) -> str:
        """The process in words, for messages."""
        job = f" (SLURM job {self.job})" if self.job else ""
        return f"process {self.process.get('pid', '?')} on {self.process.get('host', 'an unknown host')}{job}"

    @property
    def job(self) -> str | None:
        """The SLURM job of the process; None outside SLURM."""
        return self.process.get("job")

    def beat(self) -> bool:
        """Show that this process lives, and return whether it still holds the run.

        The folder may be gone, or another process may have taken this one for dead.
        """
        try:
            os.utime(self.path)
        except OSError:
            return False
        return self.ours()

    def ours(self) -> bool:
        """Return whether this lock is the one that counts: the end of the chain."""
        found = holder(self.path.parent)
        return found is not None and found.token == self.token

    def release(self) -> None:
        """Release the run, if this lock still counts, and remove the run's folder if it is empty."""
        chain = _chain(self.path.parent)
        if not chain or chain[-1].token != self.token:
            return
        with contextlib.suppress(OSError):
            for lock in chain:  # the root first
                lock.path.unlink(missing_ok=True)
            self.path.parent.rmdir()


def holder(folder: Path) -> RunLock | None:
    """Return the lock that counts in a run's folder, of a living process or a dead one; None where there is none."""
    chain = _chain(folder)
    return chain[-1] if chain else None


def heartbeat_age(lock: RunLock) -> float | None:
    """Return the seconds since the last heartbeat of a lock; None where they cannot be known.

    Both times are of the clock that stamps files of this folder: an unnamed file is made now for comparison.
    """
    try:
        with tempfile.TemporaryFile(dir=lock.path.parent) as fresh:
            now = os.fstat(fresh.fileno()).st_mtime
        return max(0.0, now - lock.path.stat().st_mtime)
    except OSError:  # a folder that is gone, or not ours to write to
        return None


def take_run_lock(folder: Path, dead: Collection[str] = ()) -> RunLock | None:
    """Lock a run for this process; return None where a living process holds it.

    Args:
        folder: the run's folder, which is made where there is none.
        dead: tokens of locks that a ``LockWatch`` saw stand still.

    Raises:
        RecordError: nothing can be written there.
    """
    for _ in range(8):
        found = holder(folder)
        if found is not None and found.alive is not False and found.token not in dead:
            return None
        path = folder / (_ROOT if found is None else f"claim.{found.token}.json")
        lock = RunLock(path, uuid.uuid4().hex[:12], this_process())
        if not _make(lock):
            continue  # another process was faster: read the chain again
        if found is None:
            for left_over in set(folder.glob(_ALL)) - {path}:  # of a holder that was killed while it released
                left_over.unlink(missing_ok=True)
        if lock.ours():
            return lock
        path.unlink(missing_ok=True)  # the chain that it succeeded was released meanwhile
    return None


class LockWatch:
    """Watches locks of other machines, to find those whose heartbeat stands still."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def dead(self, lock: RunLock) -> bool:
        """Return whether the process of a lock is dead, as far as can be known now."""
        living = lock.alive
        if living is not None:
            return not living
        try:
            stamp = lock.path.stat().st_mtime_ns
        except OSError:
            return False
        before, since = self._seen.get(lock.token, (None, 0.0))
        if stamp != before:
            self._seen[lock.token] = (stamp, time.monotonic())
            return False
        return time.monotonic() - since > LIMIT


class HeldLocks:
    """Run locks of this process, whose heartbeat a thread keeps going. ``lost``: whether one was lost to another."""

    def __init__(self) -> None:
        self.locks: list[RunLock] = []
        self.lost = False
        self._over = threading.Event()

    def beat(self) -> None:
        """Give one heartbeat to all locks."""
        beats = [lock.beat() for lock in self.locks]
        self.lost |= not all(beats)

    def _keep(self) -> None:
        while not self._over.wait(BEAT):
            self.beat()


@contextlib.contextmanager
def hold_run_locks(folders: Sequence[Path], dead: Collection[str] = ()) -> Iterator[tuple[HeldLocks, list[bool]]]:
    """Lock as many of these runs as are free, for the time of a ``with`` statement.

    Args:
        folders: the folders of the runs.
        dead: tokens of locks that a ``LockWatch`` saw stand still.

    Yields:
        The locks that this process holds, and for each folder whether it is locked by this process.

    Raises:
        RecordError: nothing can be written in a folder.
    """
    held = HeldLocks()
    thread = threading.Thread(target=held._keep, daemon=True)
    try:
        got = []
        for folder in folders:
            lock = take_run_lock(folder, dead)
            held.locks += [lock] if lock else []
            got.append(lock is not None)
        thread.start()
        yield held, got
    finally:
        held._over.set()
        if thread.is_alive():
            thread.join()
        for lock in held.locks:
            lock.release()


def _chain(folder: Path) -> list[RunLock]:
    chain: list[RunLock] = []
    path = folder / _ROOT
    while (lock := _read(path)) is not None and len(chain) < 1000:
        chain.append(lock)
        path = folder / f"claim.{lock.token}.json"
    return chain


def _read(path: Path) -> RunLock | None:
    try:
        content = read_json(path)
        return RunLock(path, str(content["token"]), dict(content["process"]))
    except FileNotFoundError:
        return None
    except (RecordError, KeyError, TypeError, ValueError):
        if not path.exists():  # a file stands in the place of its folder
            return None
        # A power cut may leave a damaged lock, which nobody keeps alive. Its successor needs a name of its own.
        return RunLock(path, f"damaged-{path.name.removesuffix('.json')}", {})


def _make(lock: RunLock) -> bool:
    """Put a lock in its place, as a whole; return False where there is one, or the folder was just removed."""
    path = lock.path
    temporary = path.with_name(f".{lock.token}{TEMPORARY}")
    text = json.dumps({"token": lock.token, "process": lock.process})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (FileExistsError, FileNotFoundError):
        if path.parent.exists() and not path.parent.is_dir():
            raise RecordError(f"cannot write {path}: {path.parent} is a file, not a folder; move it away") from None
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            return _create(path, text)
        raise storage_error(path, error.errno, error) from error
    return True


def _create(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise storage_error(path, error.errno, error) from error
    return True
