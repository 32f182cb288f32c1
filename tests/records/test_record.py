"""The folder of one run: files, order of writing, states, checkpoints."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrd.records import schema
from lrd.records.environment import environment, git_commit
from lrd.records.files import RecordError, read_json
from lrd.records.record import RunRecord
from lrd.records.run_files import state_of

RUN = {
    "spec": {"task": {"name": "copy", "gap": 30}, "cell": {"name": "lstm", "hidden_size": 8}, "seed": 3},
    "task": {
        "sequence_length": 50,
        "smallest_lag": 40,
        "largest_lag": 40,
        "chance": {"loss": 0.4},
        "landmarks": {},
        "criterion": "x",
    },
    "parameters": 123,
}
FLOW: dict[str, Any] = {
    "update": [0, 0],
    "layer": [1, 2],
    "direction": ["forward", "backward"],
    "variable": ["h", "c"],
    "part": ["total", "direct"],
    "answer": ["-1", "-1"],
    "t": [0, 1],
    "lag": [1, 0],
    **{name: [-np.inf, -5000.25] for name, kind in schema.GRADIENT_FLOW_COLUMNS.items() if kind == schema.REAL},
}
FIT: dict[str, Any] = {
    "update": [0],
    "layer": [1],
    "direction": ["forward"],
    "variable": ["h"],
    "slope": [-0.5],
    "horizon": [0.87],
    "points": [40],
    "slope_error": [0.1],
    "samples": [4],
    "fallen_e": [1.0],
    "fallen_milli": [2.0],
}


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    record = RunRecord(tmp_path / "runs", "demo", "abc123")
    record.create(RUN)
    return record


def test_a_whole_run(record: RunRecord) -> None:
    states = [record.state]
    record.status("running", update=10, max_updates=100)
    states.append(record.state)
    record.metrics({"update": np.array([0, 10]), "train_loss": [np.nan, 0.5], "eval_loss": [0.25, None]})
    record.write_table("gradient_flow", FLOW)
    record.write_table("gradient_fit", FIT)
    record.finish({"outcome": "solved", "update": 90, "solved_at": 80, "diverged_at": None, "test_loss": np.float32(0)})
    states.append(record.state)
    assert states == ["interrupted", "running", "finished"]  # begun, and nobody had said that it runs

    assert read_json(record.path / "run.json") == {"schema": 1, "run_id": "abc123", "study": "demo", **RUN}
    status = record.read_status()
    assert status is not None
    assert status["state"] == "finished"
    assert (status["update"], status["max_updates"], status["pid"]) == (90, 100, os.getpid())
    assert (record.read_summary() or {})["test_loss"] == 0.0
    metrics = record.read_metrics()
    assert {name: column.dtype for name, column in metrics.items()} == {
        "update": np.int64,
        "train_loss": np.float64,
        "eval_loss": np.float64,
    }
    assert np.isnan(metrics["train_loss"][0])
    assert np.ma.getmaskarray(metrics["eval_loss"]).tolist() == [False, True]
    flow = record.read_table("gradient_flow")
    assert {name: column.tolist() for name, column in flow.items()} == FLOW
    assert {name: column.tolist() for name, column in record.read_table("gradient_fit").items()} == FIT
    tables = {"gradient_fit.parquet", "gradient_flow.parquet", "metrics.parquet"}
    assert set(os.listdir(record.path)) == {"environment.json", "run.json", "status.json", "summary.json"} | tables


def test_what_was_read_can_be_written_again(record: RunRecord) -> None:
    record.metrics({"update": [0, 1], "eval_loss": [0.25, None]})
    record.metrics(record.read_metrics())
    assert record.read_metrics()["eval_loss"].tolist() == [0.25, None]
    record.metrics({"update": [], "eval_loss": []})
    record.write_table("gradient_flow", {name: [] for name in FLOW})
    assert record.read_table("gradient_flow")["variable"].dtype == object
    assert len(record.read_metrics()["update"]) == 0


def test_the_summary_is_written_last(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    replace = os.replace

    def note(source: Path, target: Path) -> None:
        order.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    record.finish({"outcome": "unsolved", "update": 1})
    assert order == ["status.json", "summary.json"]


def test_killed_before_its_summary_a_run_is_not_finished(record: RunRecord) -> None:
    record.finish({"outcome": "unsolved", "update": 1})
    (record.path / "summary.json").unlink()
    assert record.state == "interrupted"
    assert not record.finished


def test_wrong_words_and_columns_are_refused(record: RunRecord) -> None:
    with pytest.raises(ValueError, match="running, interrupted, failed, finished, got 'done'"):
        record.status("done", update=0, max_updates=1)
    with pytest.raises(ValueError, match="solved, unsolved, diverged, got 'ok'"):
        record.finish({"outcome": "ok", "update": 1})
    with pytest.raises(ValueError, match="missing update"):
        record.metrics({"train_loss": [1.0]})
    with pytest.raises(ValueError, match="missing lag; unknown lags"):
        record.write_table(
            "gradient_flow", {("lags" if name == "lag" else name): column for name, column in FLOW.items()}
        )
    with pytest.raises(ValueError, match="unknown intercept"):
        record.write_table("gradient_fit", {**FIT, "intercept": [0.0]})
    assert not record.finished


def test_going_on_keeps_what_is_there_and_sweeps_up(record: RunRecord) -> None:
    record.save_checkpoint({"update": 5})
    (record.path / ".metrics.parquet.1-2.tmp").write_text("half")
    again = RunRecord(record.path.parents[1], "demo", "abc123")
    again.create(RUN)
    assert again.load_checkpoint() == {"update": 5}
    assert not list(record.path.glob(".*"))
    again.finish({"outcome": "solved", "update": 9})
    with pytest.raises(RecordError, match="finished run"):
        again.create(RUN)


def test_an_environment_that_changed_is_kept(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    record.create(RUN)
    now = read_json(record.path / "environment.json")
    assert "earlier" not in now
    assert now["torch"] == torch.__version__
    assert now["device"] == "cpu"
    assert now["threads"] >= 1
    monkeypatch.setattr("lrd.records.record.environment", lambda device: {**now, "torch": "99"})
    record.create(RUN)
    record.create(RUN)
    changed = read_json(record.path / "environment.json")
    assert changed["torch"] == "99"
    assert changed["earlier"] == [now]


def test_states(record: RunRecord, tmp_path: Path) -> None:
    assert RunRecord(tmp_path, "demo", "never").state is None
    for state in ("running", "interrupted", "failed"):
        record.status(state, update=1, max_updates=2, message="why")
        assert record.state == state
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = {**(record.read_status() or {}), "state": "running", "pid": gone.pid}
    assert state_of(here, finished=False) == "interrupted"
    assert state_of({**here, "host": "another"}, finished=False) == "running"
    assert state_of(here, finished=True) == "finished"


def test_checkpoint_round_trip(record: RunRecord) -> None:
    assert record.load_checkpoint() is None
    content: dict[str, Any] = {
        "weights": [torch.randn(3, 4), torch.tensor(2.0, dtype=torch.float64)],
        "best": float("inf"),
        "name": "adam",
        "nested": {"none": None, "flags": (True, False), 3: 2**80},
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    record.save_checkpoint(content)
    back = record.load_checkpoint()
    assert back is not None
    assert list(back) == list(content)
    assert all(
        torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(back["weights"], content["weights"], strict=True)
    )
    assert (back["best"], back["name"], back["nested"]) == (content["best"], content["name"], content["nested"])
    assert not back["parameter"].requires_grad


def test_a_slice_of_a_pack_is_saved_without_the_pack(record: RunRecord) -> None:
    pack = torch.randn(500, 100)
    record.save_checkpoint({"weight": pack[3]})
    assert (record.path / "checkpoint.pt").stat().st_size < 5000
    assert torch.equal((record.load_checkpoint() or {})["weight"], pack[3])


@pytest.mark.parametrize("value", [np.float64(1.0), object(), torch.float32, {1, 2}])
def test_what_could_not_be_loaded_is_not_saved(record: RunRecord, value: Any) -> None:
    with pytest.raises(TypeError, match=r"checkpoint\['a'\]\[1\] must be"):
        record.save_checkpoint({"a": [1, value]})
    assert record.load_checkpoint() is None


def test_damaged_and_foreign_checkpoints_are_refused(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record.path / "checkpoint.pt"
    tensor = torch.arange(100.0)
    record.save_checkpoint({"a": tensor})
    whole = path.read_bytes()
    place = whole.index(tensor.numpy().tobytes()[40:80])
    flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    for damaged in (whole[: len(whole) // 2], b"", b"x" * 100, flipped):
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"checkpoint\.pt: it is damaged .*; remove the file") as caught:
            record.load_checkpoint()
        assert "\n" not in str(caught.value)
    torch.save({"weights": tensor}, path)  # somebody else's
    with pytest.raises(RecordError, match="damaged"):
        record.load_checkpoint()
    monkeypatch.setattr("lrd.records.checkpoint.SCHEMA_VERSION", 2)
    record.save_checkpoint({"a": 1})
    monkeypatch.undo()
    with pytest.raises(RecordError, match="schema version 2 and this lrd reads 1"):
        record.load_checkpoint()


def test_a_checkpoint_runs_no_code(record: RunRecord, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"schema": 1, "content": Bomb()}, record.path / "checkpoint.pt")
    with pytest.raises(RecordError, match="damaged"):
        record.load_checkpoint()
    assert not (tmp_path / "ran").exists()


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="a file, not a folder"):
        RunRecord(tmp_path / "file", "demo", "a").create(RUN)
    with pytest.raises(RecordError, match="choose another folder"):
        RunRecord("/sys", "demo", "a").create(RUN)
    record = RunRecord(tmp_path, "demo", "a")
    record.create(RUN)
    (tmp_path / "demo").rename(tmp_path / "moved")
    writes: list[Callable[[], None]] = [
        lambda: record.status("running", update=1, max_updates=1),
        lambda: record.metrics({"update": [1]}),
        lambda: record.save_checkpoint({"a": 1}),
        lambda: record.finish({"outcome": "solved", "update": 1}),
    ]
    for write in writes:
        with pytest.raises(RecordError, match=r"cannot write .*demo/a/.*folder is gone"):
            write()


def test_environment_is_cached_and_never_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment("cpu")
    calls: list[Any] = []
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: calls.append(a))
    assert environment("cpu") == environment("cpu")
    assert not calls
    json.dumps(environment("cpu"))
    assert environment("no such device")["device"] == "no such device"
    monkeypatch.undo()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_commit_of_the_checkout_and_of_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    for package in (tmp_path / "lrd", tmp_path / "venv" / "lrd"):
        package.mkdir(parents=True)
        (package / "a.py").write_text("a = 1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    assert git_commit.__wrapped__(tmp_path / "lrd") == (git("rev-parse", "HEAD"), False, "")
    assert git_commit.__wrapped__(tmp_path / "venv" / "lrd") == (None, None, "")
    (tmp_path / "lrd" / "a.py").write_text("a = 2\n")
    known = (git("rev-parse", "HEAD"), True, "")
    assert git_commit.__wrapped__(tmp_path / "lrd") == known

    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true")  # as in a container, or a group's checkout
    assert subprocess.run(["git", "-C", str(tmp_path), "status"], capture_output=True).returncode != 0
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as a hook of another repository has it
    assert git_commit.__wrapped__(tmp_path / "lrd") == known


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_a_checkout_that_cannot_be_asked_is_not_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    name, dirty, unknown = git_commit.__wrapped__(tmp_path / "lrd")
    assert (name, dirty) == (None, None)
    assert unknown.startswith("git refused: fatal: not a git repository")
    assert "\n" not in unknown
    inside = environment.__globals__
    monkeypatch.setitem(inside, "git_commit", lambda: (name, dirty, unknown))
    assert inside["_fixed"].__wrapped__("cpu")["commit_unknown"] == unknown
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit.__wrapped__(tmp_path / "lrd").unknown.startswith("git cannot be run: No such file")


def pack_state(update: int, numbers: int = 10) -> dict[str, Any]:
    return {"pack": {"update": update, "theta": torch.zeros(numbers)}, "journal": {}}


def test_the_update_of_a_checkpoint_is_read_without_loading_it(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert record.checkpoint_update() is None

    def loads(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("it was loaded")

    for update in (0, 7, 123_456_789):
        record.save_checkpoint(pack_state(update))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "load", loads)
            assert record.checkpoint_update() == update
        assert (record.load_checkpoint() or {})["pack"]["update"] == update


def test_a_checkpoint_of_any_size_is_read_no_further_than_its_end(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 MB fewer bytes are read than of any sector of a disk."""
    read: list[int] = []

    class Counting(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(-1 if size is None else size)
            read.append(len(data))
            return data

    record.save_checkpoint(pack_state(9, numbers=10**7))
    monkeypatch.setattr(Path, "open", lambda self, mode: Counting(self, mode))
    assert record.checkpoint_update() == 9
    assert sum(read) <= 512 < (record.path / "checkpoint.pt").stat().st_size


def test_a_checkpoint_that_does_not_end_with_its_update_is_loaded(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record.path / "checkpoint.pt"
    torch.save({"schema": 1, "content": pack_state(5)}, path)  # as checkpoints were before
    assert record.checkpoint_update() == 5
    record.save_checkpoint(pack_state(6))
    path.write_bytes(path.read_bytes()[:-1])  # of the comment alone
    assert record.checkpoint_update() == 6
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordError, match="damaged"):
        record.checkpoint_update()
    monkeypatch.setattr("lrd.records.checkpoint.SCHEMA_VERSION", 2)
    record.save_checkpoint(pack_state(7))
    monkeypatch.undo()
    with pytest.raises(RecordError, match="schema version 2 and this lrd reads 1"):
        record.checkpoint_update()
