"""What is handed out, what is tried again, what is split, and what is left to another command."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jobs import job, within

import lrd.training
from lrd.records import holder
from lrd.records.process import this_process
from lrd.records.run_lock import take_run_lock as take
from lrd.spec import Job
from lrd.sweeps import queue as queues
from lrd.sweeps.events import Event
from lrd.sweeps.execute import execute, failures
from lrd.sweeps.plan import PlannedPack, plan, record_of
from lrd.sweeps.queue import Queue
from lrd.sweeps.workers import Pool, train_pack

FAILED: dict[str, Any] = {"reason": "it broke"}


def four(root: Path, **options: Any) -> list[Job]:
    return [job(root, seed=seed, **options) for seed in range(4)]


def seeds(pack: PlannedPack) -> list[int]:
    return [j.run.seed for j in pack.jobs]


def taken(queue: Queue) -> PlannedPack:
    pack = queue.take()
    assert pack is not None
    return pack


def test_a_failed_pack_waits_again_so_many_times(tmp_path: Path) -> None:
    queue = Queue([PlannedPack(0, tuple(four(tmp_path)))], retries=2)
    for _ in range(2):
        assert queue.failed(Event("failed", taken(queue), **FAILED)).kind == "again"
    last = queue.failed(Event("failed", taken(queue), **FAILED))
    assert (last.kind, last.reason) == ("failed", "it broke")
    assert queue.empty


@pytest.mark.parametrize("memory", [True, False])
def test_what_wants_too_much_memory_is_halved_down_to_single_runs(tmp_path: Path, memory: bool) -> None:
    queue = Queue([PlannedPack(0, tuple(four(tmp_path)))], retries=0)
    sizes, given_up = [], []
    while pack := queue.take():
        sizes.append(len(pack.jobs))
        event = queue.failed(Event("failed", pack, **FAILED, memory=memory, killed=not memory))
        given_up += seeds(event.pack) if event.kind == "failed" else []
    attempts = 1 if memory else 2  # a kill may be anybody's; the second one in a pack is taken for want of memory
    assert Counter(sizes) == {4: attempts, 2: 2 * attempts, 1: 4}
    assert sorted(given_up) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_pack_too_large_for_memory_trains_in_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = lrd.training.train

    def limited(specs: Any, *rest: Any) -> Any:
        if len(specs) > 1:
            raise MemoryError
        return train(specs, *rest)

    monkeypatch.setattr(lrd.training, "train", limited)
    progress = execute(plan(four(tmp_path), 1), 1)
    assert progress.outcomes == {"unsolved": 4}
    assert progress.failures == []
    assert progress.share_done == 1


def test_a_run_that_fails_once_goes_on_from_its_checkpoint_and_keeps_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, attempts = lrd.training.train, iter(range(10))
    starts = []

    def flaky(specs: Any, place: Any, tracker: Any, device: Any, should_stop: Any, progress: Any) -> Any:
        def report(update: int, *rest: Any) -> None:
            starts.append(update)
            progress(update, *rest)

        first = next(attempts) == 0
        ending = train(specs, place, tracker, device, lambda: first and bool(starts) and starts[-1] == 6, report)
        if first:
            raise OSError("the disk was away")
        return ending

    monkeypatch.setattr(lrd.training, "train", flaky)
    jobs = four(tmp_path)
    progress = execute(plan(jobs, 1), 1, retries=1)
    assert progress.outcomes == {"unsolved": 4}
    assert starts == [0, 3, 6, 6, 9, 12]
    assert failures(progress) == []
    log = (record_of(jobs[0]).path / "error.txt").read_text(encoding="utf-8")
    assert "OSError: the disk was away\n-- tried again\n" in log


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_pack_goes_on(tmp_path: Path) -> None:
    jobs, killed = four(tmp_path, training_max_updates=300), []
    pool = Pool(1)
    queue = Queue(plan(jobs, 1).packs, retries=1)
    finished = []
    for event in within(60, pool.run(queue)):
        if event is None:
            continue
        finished += event.finished
        if event.kind == "failed":
            assert event.killed
            assert queue.failed(event).kind == "again"
        elif event.update > 0 and not killed:
            (process,) = pool._processes.values()
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
    assert len(finished) == 4
    assert all(holder(record_of(j).path) is None for j in jobs)


def test_runs_finished_or_begun_elsewhere_meanwhile_are_planned_anew(tmp_path: Path) -> None:
    jobs = four(tmp_path)
    reported: list[Event] = []
    queue = Queue([PlannedPack(0, tuple(jobs))], report=reported.append)
    train_pack(PlannedPack(9, (jobs[0],)), lambda event: None, lambda: False)
    steps = iter(range(100))
    train_pack(PlannedPack(9, (jobs[1],)), lambda event: None, lambda: next(steps) == 5)
    packs = [taken(queue), taken(queue)]
    assert {pack.start: seeds(pack) for pack in packs} == {5: [1], 0: [2, 3]}
    assert len({pack.number for pack in packs}) == 2
    assert [event.kind for event in reported] == ["finished", "again"]
    assert queue.empty


def test_runs_held_elsewhere_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "CHECK_SECONDS", 0)
    jobs = four(tmp_path)
    locks = [take(record_of(j).path) for j in jobs[:2]]
    assert all(locks)
    queue = Queue([PlannedPack(0, tuple(jobs))])
    assert seeds(taken(queue)) == [2, 3]
    assert queue.take() is None
    assert not queue.empty
    assert queue.holders == [f"process {os.getpid()} on {this_process()['host']}"]
    locks[0].release()  # type: ignore[union-attr]
    assert seeds(taken(queue)) == [0]
    path = record_of(jobs[1]).path / "claim.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"process": content["process"] | {"started": 1}}))  # it died
    last = taken(queue)
    assert (seeds(last), last.dead) == ([1], {content["token"]})
    assert queue.empty


def test_a_worker_leaves_what_was_locked_after_it_was_planned(tmp_path: Path) -> None:
    jobs = four(tmp_path)
    lock = take(record_of(jobs[0]).path)
    assert lock is not None
    events: list[Event] = []
    train_pack(PlannedPack(0, tuple(jobs)), events.append, lambda: False)
    assert [j.run.seed for j in events[0].left] == [0]
    assert {record_of(j).finished for j in jobs[1:]} == {True}
    assert not record_of(jobs[0]).finished
    assert lock.ours()


def test_a_run_whose_lock_was_lost_is_left_alone(tmp_path: Path) -> None:
    one = job(tmp_path, training_max_updates=10**7)
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if event.update == 3:
            found = holder(record_of(one).path)
            assert found is not None
            found.path.unlink()
            assert not found.beat()

    import lrd.records.run_lock as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BEAT", 0.0001)
        train_pack(PlannedPack(0, (one,)), emit, lambda: False)
    assert [event.kind for event in events][-1] == "left"


def test_what_is_under_way_is_not_handed_out_nor_waited_for(tmp_path: Path) -> None:
    jobs = four(tmp_path)
    lock = take(record_of(jobs[0]).path)
    assert lock is not None
    queue = Queue([PlannedPack(0, tuple(jobs))], retries=1)
    queue.carried = {record_of(job).path for job in jobs[:2]}
    pack = taken(queue)
    assert seeds(pack) == [2, 3]
    assert queue.empty
    assert queue.failed(Event("failed", PlannedPack(9, tuple(jobs[:2])), **FAILED)).kind == "again"
    lock.release()
    queue.carried = ()
    assert seeds(taken(queue)) == [0, 1]


def test_a_lock_known_to_be_of_a_dead_process_is_not_waited_for(tmp_path: Path) -> None:
    jobs = four(tmp_path)
    lock = take(record_of(jobs[0]).path)
    assert lock is not None
    assert seeds(taken(Queue([PlannedPack(0, tuple(jobs), dead=frozenset({lock.token}))]))) == [0, 1, 2, 3]
    assert seeds(taken(Queue([PlannedPack(0, tuple(jobs))]))) == [1, 2, 3]
