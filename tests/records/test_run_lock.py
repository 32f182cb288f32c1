"""Of two takers exactly one has a run; the dead lose theirs; clocks do not matter."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lrd.records import RecordError, open_study, run_lock
from lrd.records.process import alive, this_process
from lrd.records.run_lock import LIMIT, LockWatch, RunLock, heartbeat_age, hold_run_locks, holder, take_run_lock


def left(folder: Path, **process: Any) -> RunLock:
    """A lock that a process left behind; of a dead one of this machine unless asked otherwise."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder.mkdir(exist_ok=True)
    found = this_process() | {"pid": gone.pid} | process
    (folder / "claim.json").write_text(json.dumps({"token": "old", "process": found}))
    lock = holder(folder)
    assert lock is not None
    return lock


def test_a_living_process_keeps_its_lock_until_it_releases_it(tmp_path: Path) -> None:
    folder = tmp_path / "study" / "run"
    lock = take_run_lock(folder)
    assert lock is not None
    assert lock.alive
    assert take_run_lock(folder) is None
    assert lock.beat()
    lock.release()
    assert holder(folder) is None
    assert not folder.exists()  # nothing was in it


def test_silence_is_measured_by_the_clock_that_stamps_the_files(tmp_path: Path) -> None:
    lock = left(tmp_path / "run", host="elsewhere")
    stamp = lock.path.stat().st_mtime
    for age in (100.0, -1000.0):  # a stamp of the future, after a clock was put back, is no silence
        os.utime(lock.path, (stamp - age, stamp - age))
        found = heartbeat_age(lock)
        assert found is not None
        assert found >= age if age > 0 else found == 0
    assert [path.name for path in lock.path.parent.iterdir()] == ["claim.json"]
    lock.path.unlink()
    assert heartbeat_age(lock) is None


def test_a_number_that_another_process_has_now_is_a_dead_process() -> None:
    me = this_process()
    assert alive(me) is True
    assert alive(me | {"started": me["started"] + 1}) is False
    assert alive(me | {"host": "another"}) is None
    assert alive(me | {"machine": "before the reboot"}) is None
    assert alive({}) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_nobody_has_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = this_process() | {"pid": child.pid, "started": None}
    assert alive(process) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert alive(process) is False
    child.communicate()


def _contend(folder: str, barrier: Any, results: Any) -> None:
    for number in range(40):
        barrier.wait()
        lock = take_run_lock(Path(folder) / str(number))
        results.put((number, lock is not None))
        barrier.wait()
        if lock:
            lock.release()


@pytest.mark.parametrize("dead", [False, True])
def test_of_takers_at_once_exactly_one_has_it(tmp_path: Path, dead: bool) -> None:
    for number in range(40):
        if dead:
            left(tmp_path / str(number)) if number == 0 else (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "claim.json").write_bytes((tmp_path / "0" / "claim.json").read_bytes())
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    barrier, results = context.Barrier(3), context.Queue()
    takers = [context.Process(target=_contend, args=(str(tmp_path), barrier, results)) for _ in range(3)]
    for taker in takers:
        taker.start()
    got = [results.get(timeout=60) for _ in range(120)]
    for taker in takers:
        taker.join()
    assert [sum(mine for run, mine in got if run == number) for number in range(40)] == [1] * 40
    assert not list(tmp_path.glob("*/claim*"))


def test_a_taker_that_dies_is_succeeded_in_turn(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    left(folder)
    first = take_run_lock(folder)
    assert first is not None
    assert first.path.name == "claim.old.json"
    dead = json.loads(first.path.read_text())
    dead["process"]["started"] += 1
    first.path.write_text(json.dumps(dead))
    second = take_run_lock(folder)
    assert second is not None
    assert second.ours()
    assert not first.beat()  # it lives after all, and learns that it lost
    first.release()
    assert second.ours()
    second.release()
    assert not folder.exists()


def test_a_slow_taker_does_not_win_what_was_given_back_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    left(folder)
    make, fresh = run_lock._make, []

    def slow(lock: RunLock) -> bool:
        monkeypatch.setattr(run_lock, "_make", make)
        quick = take_run_lock(folder)  # takes over, does the run, gives it back; another takes it anew
        assert quick is not None
        quick.release()
        fresh.append(take_run_lock(folder))
        return make(lock)

    monkeypatch.setattr(run_lock, "_make", slow)
    assert take_run_lock(folder) is None
    assert fresh[0] is not None
    assert fresh[0].ours()


def test_another_machine_is_dead_when_its_heartbeat_stands_still_under_our_eyes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = tmp_path / "run", 0.0
    lock = left(folder, host="another")
    monkeypatch.setattr(run_lock.time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "time", lambda: -now)  # runs backwards, and nobody asks it
    watch = LockWatch()
    assert not watch.dead(lock)
    now = LIMIT - 1
    assert not watch.dead(lock)
    os.utime(lock.path, ns=(1, 1))  # a beat, by a clock far behind ours
    assert not watch.dead(lock)
    now = 2 * LIMIT - 2
    assert not watch.dead(lock)
    now = 2 * LIMIT
    assert watch.dead(lock)
    assert take_run_lock(folder) is None
    assert take_run_lock(folder, {lock.token}) is not None


def test_a_damaged_lock_is_nobodys_heartbeat(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    left(folder)
    (folder / "claim.json").write_bytes(b"")
    lock = holder(folder)
    assert lock is not None
    assert lock.alive is None
    taken = take_run_lock(folder, {lock.token})
    assert taken is not None
    taken.release()
    assert not folder.exists()


def test_locks_are_kept_alive_and_their_loss_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(run_lock, "BEAT", 0.001)
    monkeypatch.setattr(RunLock, "beat", lambda self: bool(beaten.set()) or True)
    with hold_run_locks([tmp_path / "a", tmp_path / "b"]) as (keeper, got):
        assert got == [True, True]
        with hold_run_locks([tmp_path / "a", tmp_path / "c"]) as (_, others):
            assert others == [False, True]
        assert beaten.wait(30)
        assert not keeper.lost
    monkeypatch.undo()
    with hold_run_locks([tmp_path / "a"]) as (keeper, _):
        (tmp_path / "a" / "claim.json").unlink()
        keeper.beat()
        assert keeper.lost
    assert not list(tmp_path.glob("*/claim*"))


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"cannot write .*file"):
        take_run_lock(tmp_path / "file")


def test_a_run_that_is_only_locked_is_no_problem_of_its_study(tmp_path: Path) -> None:
    take_run_lock(tmp_path / "run")
    with pytest.raises(RecordError, match="there are no readable runs") as caught:
        open_study(tmp_path)
    assert "problem" not in str(caught.value)


def test_a_file_system_without_links_holds_locks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(run_lock.os, "link", refuse)
    lock = take_run_lock(tmp_path / "run")
    assert lock is not None
    assert take_run_lock(tmp_path / "run") is None
    lock.release()
    assert not (tmp_path / "run").exists()
