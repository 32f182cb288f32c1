"""Who trains a run: a claim in its folder, so that commands that share a study never do a run twice.

``claim.json`` names a process. It is made with its content at once and only where there is none (link), which holds on
shared file systems too. A claim whose process is dead is not removed but succeeded: its successor is
``claim.<token>.json``, where the token is the dead claim's own, so that of two takers exactly one makes it. The end of
this chain is the holder. Giving back removes ``claim.json`` first: what hung on it then counts for nothing.

A dead process of this machine is known at once (``lrd.records.process``). One of another machine is taken for dead
when its heartbeat, the time stamp of its claim, has stood still for ``LIMIT`` seconds under our eyes: no clock is ever
compared with another, and a clock that jumps changes nothing.
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
    """One claim as it stands on disk."""

    path: Path
    token: str
    process: dict[str, Any]

    @property
    def alive(self) -> bool | None:
        """Whether its process lives; None: no telling from this machine."""
        return alive(self.process)

    @property
    def who(self) -> str:
        """The process, for people."""
        job = f" (SLURM job {self.job})" if self.job else ""
        return f"process {self.process.get('pid', '?')} on {self.process.get('host', 'an unknown host')}{job}"

    @property
    def job(self) -> str | None:
        """The SLURM job of its process."""
        return self.process.get("job")

    def beat(self) -> bool:
        """Show that we live; whether the claim is still ours (its folder may be gone, or others took us for dead)."""
        try:
            os.utime(self.path)
        except OSError:
            return False
        return self.ours()

    def ours(self) -> bool:
        """Whether this claim is the end of the chain."""
        found = holder(self.path.parent)
        return found is not None and found.token == self.token

    def release(self) -> None:
        """Give the run back, if it is still ours, and remove its folder if there is nothing in it."""
        chain = _chain(self.path.parent)
        if not chain or chain[-1].token != self.token:
            return
        with contextlib.suppress(OSError):
            for claim in chain:  # the root first
                claim.path.unlink(missing_ok=True)
            self.path.parent.rmdir()


def holder(folder: Path) -> RunLock | None:
    """The claim that counts for a run's folder, of a living process or a dead one; None where there is none."""
    chain = _chain(folder)
    return chain[-1] if chain else None


def heartbeat_age(claim: RunLock) -> float | None:
    """Seconds since the last heartbeat of a claim; None where that cannot be told.

    The age is told by the clock that stamps files of this folder, with a file that is made now and never seen.
    """
    try:
        with tempfile.TemporaryFile(dir=claim.path.parent) as fresh:
            now = os.fstat(fresh.fileno()).st_mtime
        return max(0.0, now - claim.path.stat().st_mtime)
    except OSError:  # a folder that is gone, or not ours to write to
        return None


def take(folder: Path, dead: Collection[str] = ()) -> RunLock | None:
    """RunLock a run for this process; None where a living process holds it.

    ``dead``: tokens of locks that a ``LockWatch`` saw stand still.

    Raises ``RecordError`` where nothing can be written.
    """
    for _ in range(8):
        found = holder(folder)
        if found is not None and found.alive is not False and found.token not in dead:
            return None
        path = folder / (_ROOT if found is None else f"claim.{found.token}.json")
        claim = RunLock(path, uuid.uuid4().hex[:12], this_process())
        if not _make(claim):
            continue  # somebody was faster: look again
        if found is None:
            for left_over in set(folder.glob(_ALL)) - {path}:  # of a holder killed while it gave back
                left_over.unlink(missing_ok=True)
        if claim.ours():
            return claim
        path.unlink(missing_ok=True)  # the chain that it succeeded was given back meanwhile
    return None


class LockWatch:
    """Tells, by watching, which claims of other machines stand still."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def dead(self, claim: RunLock) -> bool:
        """Whether the claim's process is dead, as far as can be known now."""
        living = claim.alive
        if living is not None:
            return not living
        try:
            stamp = claim.path.stat().st_mtime_ns
        except OSError:
            return False
        before, since = self._seen.get(claim.token, (None, 0.0))
        if stamp != before:
            self._seen[claim.token] = (stamp, time.monotonic())
            return False
        return time.monotonic() - since > LIMIT


class HeldLocks:
    """Claims of this process, kept alive by a thread."""

    def __init__(self) -> None:
        self.claims: list[RunLock] = []
        self.lost = False
        self._over = threading.Event()

    def beat(self) -> None:
        """One heartbeat of all claims."""
        beats = [claim.beat() for claim in self.claims]
        self.lost |= not all(beats)

    def _keep(self) -> None:
        while not self._over.wait(BEAT):
            self.beat()


@contextlib.contextmanager
def hold_run_locks(folders: Sequence[Path], dead: Collection[str] = ()) -> Iterator[tuple[HeldLocks, list[bool]]]:
    """Hold as many of these runs' claims as are to be had: gives them, and for each folder whether it is ours."""
    keeper = HeldLocks()
    thread = threading.Thread(target=keeper._keep, daemon=True)
    try:
        got = []
        for folder in folders:
            claim = take(folder, dead)
            keeper.claims += [claim] if claim else []
            got.append(claim is not None)
        thread.start()
        yield keeper, got
    finally:
        keeper._over.set()
        if thread.is_alive():
            thread.join()
        for claim in keeper.claims:
            claim.release()


def _chain(folder: Path) -> list[RunLock]:
    chain: list[RunLock] = []
    path = folder / _ROOT
    while (claim := _read(path)) is not None and len(chain) < 1000:
        chain.append(claim)
        path = folder / f"claim.{claim.token}.json"
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
        # A power cut may leave one damaged: nobody's heartbeat. Its successor needs a name that no other claim has.
        return RunLock(path, f"damaged-{path.name.removesuffix('.json')}", {})


def _make(claim: RunLock) -> bool:
    """Put a claim in its place, whole; False where there is one already, or the folder was just removed."""
    path = claim.path
    temporary = path.with_name(f".{claim.token}{TEMPORARY}")
    text = json.dumps({"token": claim.token, "process": claim.process})
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
