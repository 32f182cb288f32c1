"""Records written by a thread are those written at once, whatever ends the training."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import run_spec

from lrd.cells import RNN
from lrd.records import BackgroundWriter, RecordError, RunRecord, files
from lrd.records.schema import GRADIENT_FIT_COLUMNS, INTEGER, REAL, TEXT
from lrd.records.tracker import NullTracker
from lrd.spec import Place
from lrd.tasks import Delay
from lrd.training import Ending, loop, train
from lrd.training.journal import Journal

# One diverges and leaves the pack early; the other goes to its last update.
SPECS = [
    run_spec(
        Delay(gap=1, tokens=4, alphabet=2),
        RNN(hidden_size=6, activation="relu"),
        seed,
        "sgd",
        lr=lr,
        momentum=0.9,
        clip="none",
        max_updates=6,
        eval_every=3,
        batch_size=4,
        eval_samples=20,
        test_samples=20,
        samples=3,
    )
    for seed, lr in enumerate((0.0003, 1e38))
]


def go(folder: Path, behind: bool | None = True, **how: Any) -> Ending:
    """Train, with a checkpoint at every update, and see that nothing is reported that a kill would lose."""
    place = Place(runs_dir=str(folder), study="s", checkpoint_seconds=how.pop("checkpoint_seconds", 1e-9))
    reported: list[str] = []

    class Tracker(NullTracker):
        def finish(self, run_id: str, summary: Any) -> None:
            assert RunRecord(folder, "s", run_id).finished
            reported.append(run_id)

    def progress(update: int, active: int, finished: list[dict[str, Any]]) -> None:
        counted.extend(summary["run_id"] for summary in finished)
        assert counted == reported
        assert active + len(counted) == len(left)

    left = [spec for spec in SPECS if not RunRecord(folder, "s", spec.run_id).finished]
    counted: list[str] = []
    return train(left, place, Tracker(), torch.device("cpu"), progress=progress, behind=behind, **how)


def after(updates: int, error: type[BaseException] | None = None) -> Callable[[], bool]:
    """Stop, or raise, when so many updates are done."""
    calls = iter(range(10**6))

    def should_stop() -> bool:
        if error is not None and next(calls) >= updates:
            raise error
        return error is None and next(calls) >= updates

    return should_stop


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every moment that a record holds is the same one."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)


@pytest.fixture
def whole(tmp_path: Path, timeless: None) -> dict[str, bytes]:
    """What is written at once, without checkpoints on the way."""
    go(tmp_path / "whole", behind=False, checkpoint_seconds=1e9)
    return bytes_of(tmp_path / "whole")


def assert_ends_as(whole: dict[str, bytes], folder: Path) -> None:
    """The same files but for what attempts and their time left in them."""
    found = bytes_of(folder)
    assert found.keys() == whole.keys()
    for name, content in found.items():
        if not name.endswith(("status.json", "checkpoint.pt")):
            assert content == whole[name], name


def test_the_same_files_are_written_in_the_same_order(
    tmp_path: Path, timeless: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: dict[bool, list[str]] = {True: [], False: []}
    replace = os.replace
    for behind, order in orders.items():
        folder = tmp_path / str(behind)

        def seen(old: Any, new: Any, order: list[str] = order, folder: Path = folder) -> None:
            if Path(new).is_relative_to(folder):  # a check of a kernel is kept elsewhere, by whichever run is first
                order.append(str(Path(new).relative_to(folder)))
            replace(old, new)

        monkeypatch.setattr(files.os, "replace", seen)
        assert go(folder, behind) == Ending(interrupted=False, update=6)
    assert orders[True] == orders[False]
    outcomes = [RunRecord(tmp_path / "True", "s", spec.run_id).read_summary()["outcome"] for spec in SPECS]
    assert outcomes == ["unsolved", "diverged"]
    assert bytes_of(tmp_path / "True") == bytes_of(tmp_path / "False")


def test_what_is_handed_over_is_as_it_was_then(tmp_path: Path) -> None:
    go_on, record = threading.Event(), RunRecord(tmp_path, "s", "a")
    with BackgroundWriter(9) as writer:
        writer.put(lambda: go_on.wait(60) and None)
        journal = Journal(SPECS[0], record, NullTracker(), 1, "cpu", "packed", writer)
        zeros = {INTEGER: np.zeros(2, int), REAL: np.zeros(2), TEXT: np.array(["h", "h"], dtype=object)}
        journal.tables["gradient_fit"] = [{name: zeros[kind] for name, kind in GRADIENT_FIT_COLUMNS.items()}]
        for update in (0, 3):
            journal.add_metrics(update, {"loss": float(update)}, solved=True)
            if update == 0:
                journal.write("running", update)
                journal.checkpoint({})
        journal.scalars["end"]["slope"] = 1.0
        journal.measured_at["gradient_flow"] = 3
        journal.tables["gradient_fit"] *= 2
        journal.cost.charge(5.0, 3, 2)
        go_on.set()
        writer.wait()
    assert record.read_metrics()["update"].tolist() == [0]
    assert len(record.read_table("gradient_fit")["update"]) == 2
    assert (record.read_status() or {})["seconds"] == 0
    kept = (record.load_checkpoint() or {})["journal"]
    assert (kept["metrics"], kept["streak"], kept["looked"], kept["scalars"]["end"]) == (
        [{"update": 0, "loss": 0.0}],
        1,
        {},
        {},
    )
    assert (len(kept["looks"]["gradient_fit"]), kept["cost"]["seconds"]) == (1, 0)


def test_a_cpu_writes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BackgroundWriter", None)
    assert not go(tmp_path, behind=None, checkpoint_seconds=1e9).interrupted


@pytest.mark.parametrize("stop", [0, 4])
def test_an_interruption_leaves_whole_checkpoints(tmp_path: Path, whole: dict[str, bytes], stop: int) -> None:
    assert go(tmp_path / "cut", should_stop=after(stop)) == Ending(interrupted=True, update=stop)
    for spec in SPECS:
        record = RunRecord(tmp_path / "cut", "s", spec.run_id)
        if not record.finished:
            assert (record.read_status() or {})["state"] == "interrupted"
            assert (record.load_checkpoint() or {})["pack"]["update"] == stop
    go(tmp_path / "cut")
    assert_ends_as(whole, tmp_path / "cut")


def test_whatever_ends_training_all_that_was_asked_for_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = RunRecord.save_checkpoint

    def slow(self: RunRecord, content: Any) -> None:
        time.sleep(0.01)
        save(self, content)

    monkeypatch.setattr(RunRecord, "save_checkpoint", slow)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, should_stop=after(4, KeyboardInterrupt))
    for spec in SPECS:  # the last checkpoints were asked for before the fourth update
        assert (RunRecord(tmp_path, "s", spec.run_id).load_checkpoint() or {})["pack"]["update"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("file", ["checkpoint.pt", "summary.json"])
def test_a_full_disk_is_the_same_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], file: str
) -> None:
    write = files.write_atomic

    def full(path: Path, fill: Any) -> None:
        if path.name == file:
            raise files.storage_error(path, errno.ENOSPC, "no space")
        write(path, fill)

    said = []
    with monkeypatch.context() as patch:
        patch.setattr("lrd.records.files.write_atomic", full)
        patch.setattr("lrd.records.tables.write_atomic", full)
        for behind in (True, False):
            with pytest.raises(RecordError) as caught:
                go(tmp_path / str(behind), behind, checkpoint_seconds=1e9)
            said.append(str(caught.value).replace(str(tmp_path / str(behind)), ""))
    assert said[0] == said[1]
    assert "the disk is full; free some space" in said[0]
    assert "\n" not in said[0]
    for spec in SPECS:
        assert not RunRecord(tmp_path / "True", "s", spec.run_id).finished
    go(tmp_path / "True", checkpoint_seconds=1e9)
    assert_ends_as(whole, tmp_path / "True")


def killed_at(folder: Path, number: int) -> None:
    """Train in this process, which kill -9 ends when so many files are in place and the next one is written."""
    count = iter(range(10**6))
    replace = os.replace

    def replaced(old: Any, new: Any) -> None:
        if next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(old, new)

    files.os.replace = replaced  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):
        go(folder)


# Four files begin two runs, two status.json follow, and five files a run are written before each of three updates; then
# the first run leaves with seven more, of which the last is its summary.
@pytest.mark.slow_but(2)
@pytest.mark.parametrize("number", [6, 42, 43])
def test_a_kill_while_files_are_written_loses_nothing(tmp_path: Path, whole: dict[str, bytes], number: int) -> None:
    folder = tmp_path / "cut"
    process = multiprocessing.get_context("fork").Process(target=killed_at, args=(folder, number))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    for spec in SPECS:
        record = RunRecord(folder, "s", spec.run_id)
        if record.finished:
            assert (record.read_summary() or {})["update"] == (record.load_checkpoint() or {})["pack"]["update"]
    go(folder)
    assert_ends_as(whole, folder)
