"""Time and memory of a whole plan, from records or from a calibration made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jobs import job

from lrd.records import write_json
from lrd.sweeps import estimate as module
from lrd.sweeps.calibrate import SECONDS
from lrd.sweeps.estimate import START_SECONDS, WORKER_BYTES, Estimate, estimate, like, makespan, seconds_of_records
from lrd.sweeps.memory import pack_bytes
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.prices import ACTIONS, pack_seconds
from lrd.sweeps.workers import Pool, train_pack

CPU = torch.device("cpu")
PROCESS = 300_000_000


@pytest.fixture
def twice_as_slow(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A machine on which everything takes twice as long as said, with a process of a known size."""
    factors = dict.fromkeys(ACTIONS, 2.0)
    monkeypatch.setattr(module, "calibrate", lambda shapes, device: [factors for _ in shapes])
    monkeypatch.setattr(module, "process_bytes", lambda: PROCESS)
    return factors


def of(*jobs: Any, workers: int = 1) -> Estimate:
    return estimate(plan(jobs, workers), workers)


def test_one_pack_takes_what_the_formula_says_of_it(twice_as_slow: dict[str, float]) -> None:
    one = job("/nowhere", gap=7)
    found = of(one)
    assert found.seconds == pytest.approx(pack_seconds(one.run, 1, 0, twice_as_slow))
    assert found.pack_bytes == pack_bytes(one.run, 1, CPU)
    assert found.bytes == PROCESS + found.pack_bytes
    assert (found.workers, found.measured, found.on_gpu) == (1, SECONDS, False)


def test_like_packs_are_one_group_and_workers_share_them(twice_as_slow: dict[str, float]) -> None:
    found = of(*(job("/nowhere", cell=cell, seed=seed) for cell in ("rnn", "lstm") for seed in range(10)), workers=2)
    assert {type(g.run.cell).__name__: g.runs for g in found.groups} == {"LSTM": 10, "RNN": 10}
    each = [g.seconds * len(p.jobs) / g.largest for g in found.groups for p in g.packs]
    assert max(max(each), sum(each) / 2) <= found.seconds - START_SECONDS <= sum(each)
    around = 2 * PROCESS + 2 * WORKER_BYTES
    assert around + found.pack_bytes <= found.bytes <= around + 2 * found.pack_bytes
    assert found.workers == 2


def test_no_more_workers_are_counted_than_there_are_packs(twice_as_slow: dict[str, float]) -> None:
    found = of(job("/nowhere"), job("/nowhere", cell="lstm"), workers=64)
    assert found.workers == 2
    assert found.bytes == 2 * PROCESS + 2 * WORKER_BYTES + sum(g.bytes for g in found.groups)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(1, 5))
def test_idle_workers_take_the_next_pack(seconds: list[float], workers: int) -> None:
    """Graham's bounds of list scheduling."""
    span = makespan(seconds, workers)
    slack = 1e-9 * (1 + sum(seconds))
    assert max(max(seconds), sum(seconds) / workers) - slack <= span <= sum(seconds) / workers + max(seconds) + slack


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Any]:
    """Trains a run and says that it took so many seconds, on such a device."""

    def train(seconds: float, device: str = "cpu", **options: Any) -> Any:
        one = job(tmp_path, **options)
        (pack,) = plan([one], 1).packs
        train_pack(pack, lambda event: None, lambda: False)
        record = record_of(one)
        write_json(record.path / "summary.json", {**(record.read_summary() or {}), "seconds": seconds})
        write_json(record.path / "environment.json", {"device": device})
        return one

    return train


def test_finished_runs_of_the_kind_tell_the_time(trained: Callable[..., Any], tmp_path: Path) -> None:
    """12 updates each: 0.5, 2 and 1 s an update, of which 1 is the median."""
    done = [trained(seconds, seed=seed) for seed, seconds in enumerate((6, 24, 12))]
    work = plan([*done, job(tmp_path, seed=7), job(tmp_path, seed=8)], 1)
    found = estimate(work, 1)
    assert found.measured == 0
    assert [g.recorded for g in found.groups] == [True]
    assert found.seconds == pytest.approx(2 * 12 * 1.0)


def test_records_of_another_kind_or_device_tell_nothing(trained: Callable[..., Any]) -> None:
    done = [trained(6, gap=4), trained(6, gap=5, device="cuda:0")]
    assert list(seconds_of_records(done, "cpu")) == [like(done[0].run)]
    assert list(seconds_of_records(done, "cuda")) == [like(done[1].run)]


def test_a_damaged_record_tells_nothing(trained: Callable[..., Any]) -> None:
    done = trained(6)
    (record_of(done).path / "summary.json").write_text("{")
    assert seconds_of_records([done], "cpu") == {}


def test_the_number_of_updates_makes_no_other_kind() -> None:
    base = job("/nowhere").run
    same = [{"training_max_updates": 99}, {"training_stop_when_solved": True}, {"seed": 5}, {"optimizer_lr": 0.5}]
    assert {like(job("/nowhere", **options).run) for options in same} == {like(base)}
    other: list[dict[str, Any]] = [{"gap": 5}, {"cell": "lstm"}, {"training_batch_size": 3}, {"cell_hidden_size": 4}]
    kinds = {like(job("/nowhere", **options).run) for options in other}
    assert len(kinds | {like(base)}) == 1 + len(other)


def test_a_process_is_as_large_as_the_system_says() -> None:
    """Resident pages now are at most the largest number of them up to now; torch alone takes 100 MB."""
    resident = (
        int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096
        if Path("/proc/self/statm").exists()
        else 0
    )
    found = module.process_bytes()
    assert max(100_000_000, resident) <= found * 1.01


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc")
def test_a_worker_has_for_itself_what_is_said(tmp_path: Path) -> None:
    """Within a factor of two, since the allocator keeps what it likes."""
    pool, sizes = Pool(1), []
    for event in pool.run(plan([job(tmp_path, tracker_name="wandb", tracker_mode="offline")], 1).packs):
        if event is not None and event.update == 12:
            (process,) = pool._processes.values()
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8")
            sizes.append(1024 * int(rollup.split("Private_Dirty:")[1].split()[0]))
    assert sizes
    assert WORKER_BYTES / 2 <= max(sizes) <= 2 * WORKER_BYTES


def test_groups_stand_for_every_pack_once(twice_as_slow: dict[str, float]) -> None:
    jobs = [job("/nowhere", gap=gap, seed=seed) for gap in (4, 5) for seed in range(20)]
    work = plan(jobs, 3)
    found = estimate(work, 3)
    packs = list(itertools.chain.from_iterable(g.packs for g in found.groups))
    assert sorted(p.number for p in packs) == sorted(p.number for p in work.packs)
    assert all(g.largest == max(len(p.jobs) for p in g.packs) and g.updates == 12 for g in found.groups)
