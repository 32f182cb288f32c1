"""Workers: the same records as in process, and what a dying, raising or stopped one costs."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from commands import FILES, assert_equal_records, run_folders
from jobs import job, within

from lrd.records import RunRecord
from lrd.spec import Job
from lrd.sweeps import workers
from lrd.sweeps.execute import execute, failures
from lrd.sweeps.plan import PlannedPack, plan, record_of
from lrd.sweeps.workers import Event, Pool, default_workers, shared_gpus, train_pack

ENDLESS = 10**7  # updates


def sweep(root: Path, **options: Any) -> list[Job]:
    """Two packs' worth of runs."""
    return [job(root, cell=cell, seed=seed, **options) for cell in ("rnn", "lstm") for seed in range(2)]


def in_process(packs: Sequence[PlannedPack]) -> None:
    for pack in packs:
        train_pack(pack, lambda event: None, lambda: False)


def state(job_: Job) -> str | None:
    return record_of(job_).state


@pytest.mark.slow
def test_two_workers_leave_the_records_of_one_process_bit_for_bit(tmp_path: Path) -> None:
    in_process(plan(sweep(tmp_path / "one"), 1).packs)
    progress = execute(plan(sweep(tmp_path / "two"), 2), 2)
    assert progress.outcomes == {"unsolved": 4}
    assert_equal_records(tmp_path / "one" / "s", tmp_path / "two" / "s")
    pids = {record_of(j).read_status()["pid"] for j in sweep(tmp_path / "two")}  # type: ignore[index]
    assert len(pids) == 2
    assert os.getpid() not in pids


@pytest.mark.slow
def test_what_a_run_leaves_does_not_depend_on_its_pack(tmp_path: Path) -> None:
    in_process(plan(sweep(tmp_path / "together"), 1).packs)
    in_process([PlannedPack(n, (j,)) for n, j in enumerate(sweep(tmp_path / "alone"))])
    assert_equal_records(tmp_path / "together" / "s", tmp_path / "alone" / "s")


def test_a_killed_worker_costs_its_pack_alone(tmp_path: Path) -> None:
    endless = [job(tmp_path, seed=seed, training_max_updates=ENDLESS) for seed in range(2)]
    packs = plan([*endless, job(tmp_path, cell="lstm"), job(tmp_path, gap=5)], 2).packs
    assert len(packs) == 3
    pool, events = Pool(1), []
    for event in within(60, pool.run(packs)):
        if event is not None:
            events.append(event)
            if event.pack.number == packs[0].number and event.kind == "progress":
                (process,) = pool._processes.values()
                os.kill(process.pid, signal.SIGKILL)
    failed = [event for event in events if event.kind == "failed"]
    assert [(event.pack.number, event.reason) for event in failed] == [
        (packs[0].number, "its worker process died (killed by SIGKILL)")
    ]
    assert sorted(o["outcome"] for e in events for o in e.finished) == ["unsolved", "unsolved"]
    assert [state(j) for p in packs for j in p.jobs] == ["interrupted", "interrupted", "finished", "finished"]


@pytest.mark.slow
def test_a_pack_that_raises_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = sweep(tmp_path)
    broken = record_of(jobs[0])
    (broken.path / "metrics.parquet").mkdir(parents=True)  # in the place of the file
    progress = execute(plan(jobs, 1), 1)

    assert progress.outcomes == {"failed": 2, "unsolved": 2}
    assert [state(j) for j in jobs] == ["failed", "failed", "finished", "finished"]
    reason = f"RecordError: cannot write {broken.path}/metrics.parquet: a folder stands in the place of the file"
    for j in jobs[:2]:
        assert record_of(j).read_status()["message"].startswith(reason)  # type: ignore[index]
        trace = (record_of(j).path / "error.txt").read_text(encoding="utf-8")
        assert trace.startswith("Traceback")
        assert reason.removeprefix("RecordError: ") in trace
    (line,) = failures(progress)
    assert line.startswith(f"2 runs failed: {reason}")
    assert line.endswith(f"(see {broken.path}/error.txt)")

    (broken.path / "metrics.parquet").rmdir()
    assert execute(plan(jobs, 1), 1).outcomes == {"unsolved": 2}
    assert {state(j) for j in jobs} == {"finished"}


def test_code_that_would_end_the_program_costs_its_pack_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ending(*args: Any) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("lrd.training.train", ending)
    events: list[Event] = []
    train_pack(plan([job(tmp_path)], 1).packs[0], events.append, lambda: False)
    assert [(event.kind, event.reason) for event in events] == [("failed", "SystemExit: 3")]


def test_stopped_workers_leave_checkpoints(tmp_path: Path) -> None:
    jobs = sweep(tmp_path, training_max_updates=ENDLESS)
    work, pool, events = plan(jobs, 2), Pool(2), []
    for event in within(60, pool.run(work.packs)):
        if event is not None:
            events.append(event)
            if {e.pack.number for e in events if e.update > 0} == {pack.number for pack in work.packs}:
                pool.stop()
    assert [e.kind for e in events if e.kind != "progress"] == ["interrupted"] * 2
    assert {state(j) for j in jobs} == {"interrupted"}
    assert all(set(os.listdir(record_of(j).path)) >= FILES["checkpoint"] for j in jobs)
    assert all(pack.start > 0 for pack in plan(jobs, 2).packs)


@pytest.mark.slow
@pytest.mark.parametrize("update", [0, 1, 3, 8])  # a row of metrics and averages over its updates every 3
def test_a_stopped_pack_goes_on_to_the_same_end_bit_for_bit(tmp_path: Path, update: int) -> None:
    # One sample to evaluate, one bit to remember: some runs are "solved" by luck, so that streaks are cut too.
    task: dict[str, Any] = {"task_name": "delay", "task_alphabet": 2, "task_tokens": 1, "gap": 2}
    lucky = task | {"training_eval_samples": 1}
    in_process(plan(sweep(tmp_path / "whole", **lucky), 1).packs)
    jobs = sweep(tmp_path / "cut", **lucky)
    for pack in plan(jobs, 1).packs:
        asked = itertools.count()
        train_pack(pack, lambda event: None, lambda asked=asked: next(asked) == update)
    again = plan(jobs, 1).packs
    assert [pack.start for pack in again] == [update, update]
    in_process(again)
    assert_equal_records(tmp_path / "whole" / "s", tmp_path / "cut" / "s")
    solved_at = {record_of(j).read_summary()["solved_at"] for j in jobs}  # type: ignore[index]
    assert solved_at != {None}


def test_workers_stopped_while_they_start_are_interrupted_not_failed(tmp_path: Path) -> None:
    class Hasty(Pool):
        def _start(self) -> Connection:
            connection = super()._start()
            self.stop()
            return connection

    pool = Hasty(2)
    events = [event for event in within(60, pool.run(plan(sweep(tmp_path), 2).packs)) if event is not None]
    assert [event.kind for event in events] == ["interrupted"]
    assert not run_folders(tmp_path / "s")
    assert not pool._processes


def test_a_worker_that_starts_while_the_pool_is_stopped_gets_the_stop(tmp_path: Path) -> None:
    class Stopped(Pool):
        def _start(self) -> Connection:
            self.stop()  # as a signal would, before the new process is known
            return super()._start()

    events = [event for event in Stopped(1).run(plan(sweep(tmp_path), 1).packs) if event is not None]
    assert [event.kind for event in events] == ["interrupted"]


def test_a_stopped_pool_begins_nothing(tmp_path: Path) -> None:
    pool = Pool(2)
    pool.stop()
    assert list(pool.run(plan(sweep(tmp_path), 2).packs)) == []


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_stop_in_process_writes_a_checkpoint_at_once(tmp_path: Path, cell: str) -> None:
    (pack,) = plan([job(tmp_path, cell=cell, training_max_updates=ENDLESS)], 1).packs
    events: list[Event] = []
    train_pack(pack, events.append, lambda: len(events) > 2)
    assert [e.kind for e in events] == ["progress"] * 3 + ["interrupted"]
    record: RunRecord = record_of(pack.jobs[0])
    checkpoint = record.load_checkpoint()
    assert checkpoint is not None
    assert checkpoint["pack"]["update"] == events[-1].update == 6


def test_there_is_a_worker_for_every_core_this_process_may_use() -> None:
    assert default_workers(torch.device("cpu")) == len(os.sched_getaffinity(0))
    assert default_workers(torch.device("cuda:1")) == 1


class NoProcess:
    """Stands for the context of worker processes, and for each of them; keeps what GPUs they may see."""

    seen: list[str | None] = []
    exitcode = 0

    def Process(self, target: Any, args: Any, daemon: bool) -> NoProcess:  # noqa: N802
        self.seen.append(args[1].get("CUDA_VISIBLE_DEVICES"))
        return self

    def start(self) -> None:
        pass

    def join(self, timeout: float | None = None) -> None:
        pass

    def is_alive(self) -> bool:
        return False


def test_each_worker_sees_one_gpu_and_its_successor_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("lrd.sweeps.nursery.prepare", NoProcess)
    for gpus, expected in ((["5", "GPU-7"], ["5", "GPU-7", "5", "GPU-7"]), ([], [None] * 4)):
        NoProcess.seen.clear()
        pool = Pool(3, gpus)
        _, second, _ = [pool._start() for _ in range(3)]
        pool._discard(second)
        pool._start()
        assert NoProcess.seen == expected
        pool.close()


def test_gpus_are_shared_out_where_a_pack_takes_any(monkeypatch: pytest.MonkeyPatch) -> None:
    any_gpu, third, cpu = (torch.device(name) for name in ("cuda", "cuda:2", "cpu"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert shared_gpus([any_gpu, any_gpu]) == ["0", "1"]
    assert shared_gpus([any_gpu, third]) == shared_gpus([cpu]) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-7")
    assert shared_gpus([any_gpu]) == ["3", "GPU-7"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert shared_gpus([any_gpu]) == []


def test_what_is_left_goes_to_another_process_once_an_error_has_spoiled_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(*args: Any) -> bool:
        train_pack(*args)
        return False

    monkeypatch.setattr("lrd.sweeps.execute.train_pack", spoiling)
    jobs = [job(tmp_path, seed=seed, pack_size=1) for seed in range(3)]
    assert execute(plan(jobs, 1), 1).outcomes == {"unsolved": 3}
    pids = [record_of(j).read_status()["pid"] for j in jobs]  # type: ignore[index]
    assert (pids.count(os.getpid()), len(set(pids))) == (1, 2)


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_gpu_that_an_error_has_spoiled_ends_the_worker(
    spoiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever such a process asks of its GPU from then on fails: the next packs get another process."""

    def synchronize() -> None:
        if spoiled:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: None)
    monkeypatch.setattr("torch.cuda.synchronize", synchronize)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: SimpleNamespace(is_alive=lambda: True))
    ours, theirs = multiprocessing.Pipe()
    ours.send(plan([job(tmp_path)], 1).packs[0])
    ours.send(None)
    workers._worker(theirs, {})
    said = []
    while ours.poll():
        said.append(ours.recv())
    assert said[-1] == (workers._GONE if spoiled else workers._READY)
    assert [event.kind for event in said[:-1]][-1] == "progress"
