"""Time and memory of a whole plan, from records or from costs made up, and how a user reads them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import job, pack

from lrd.records import write_json
from lrd.sweeps import forecast as module
from lrd.sweeps.endings import FinishedRun, Range, finished_runs
from lrd.sweeps.forecast import WORKER_BYTES, Forecast, PackKind, forecast, in_words, pack_pace
from lrd.sweeps.measuring import FASTER, SLOWER, Costs
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.sizes import pack_bytes
from lrd.sweeps.workers import Pool, train_pack

CPU = torch.device("cpu")
PROCESS = 300_000_000
COSTS = Costs(update=1.0, sequence=0.0, probes=(0.0,))
START = module._START


@pytest.fixture
def a_second_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which an update of any pack takes a second, half as long again now, with a process of known size."""
    monkeypatch.setattr(module, "measure", lambda shapes, device: ([COSTS for _ in shapes], 1.5))
    monkeypatch.setattr(module.os, "getloadavg", lambda: (100.0, 0.0, 0.0))
    monkeypatch.setattr(module, "record_seconds", lambda run, device: 0.25)
    monkeypatch.setattr(module, "process_bytes", lambda: PROCESS)


def of(*jobs: Any, workers: int = 1) -> Forecast:
    return forecast(plan(jobs, workers), workers)


def test_one_pack_takes_what_was_measured_of_it(a_second_an_update: None) -> None:
    """12 updates, none fewer: by the processor's time, or by the clock, with a record and its mirror."""
    one = job("/nowhere", gap=7)
    found = of(one)
    assert found.seconds == pytest.approx((12 / FASTER, (12 + 2 * 0.25) * 1.5 * SLOWER + START * (1 + found.load)))
    assert found.pack_bytes == pack_bytes(one.run, 1, CPU)
    assert found.bytes == PROCESS + found.pack_bytes
    assert (found.workers, found.on_gpu, [kind.recorded for kind in found.kinds]) == (1, False, [False])


def test_runs_that_may_be_solved_may_end_early(a_second_an_update: None) -> None:
    options = {"training_stop_when_solved": True, "training_solved_evals": 2}
    assert of(job("/nowhere", **options)).seconds.least == pytest.approx(3 / FASTER)
    assert of(job("/nowhere", **options)).seconds.most == of(job("/nowhere")).seconds.most


def test_like_packs_are_one_kind_and_workers_share_them(a_second_an_update: None) -> None:
    found = of(*(job("/nowhere", cell=cell, seed=seed) for cell in ("rnn", "lstm") for seed in range(10)), workers=2)
    assert {type(kind.run.cell).__name__: kind.runs for kind in found.kinds} == {"LSTM": 10, "RNN": 10}
    each = [k.seconds.least * len(p.jobs) / k.largest for k in found.kinds for p in k.packs if k.seconds]
    assert max(max(each), sum(each) / 2) <= found.seconds.least <= sum(each)
    around = 2 * PROCESS + 2 * WORKER_BYTES
    assert around + found.pack_bytes <= found.bytes <= around + 2 * found.pack_bytes
    assert found.workers == 2


def test_no_more_workers_are_counted_than_there_are_packs(a_second_an_update: None) -> None:
    found = of(job("/nowhere"), job("/nowhere", cell="lstm"), workers=64)
    assert found.workers == 2
    assert found.bytes == 2 * PROCESS + 2 * WORKER_BYTES + sum(kind.bytes for kind in found.kinds)


def test_kinds_stand_for_every_pack_once(a_second_an_update: None) -> None:
    work = plan([job("/nowhere", gap=gap, seed=seed) for gap in (4, 5) for seed in range(20)], 3)
    found = forecast(work, 3)
    packs = list(itertools.chain.from_iterable(kind.packs for kind in found.kinds))
    assert sorted(p.number for p in packs) == sorted(p.number for p in work.packs)
    assert all(k.largest == max(len(p.jobs) for p in k.packs) and k.updates == 12 for k in found.kinds)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Any]:
    """Trains a run and says that it took so many seconds, and on what."""

    def train(seconds: float, hardware: str | None = None, **options: Any) -> Any:
        one = job(tmp_path, **options)
        (pack,) = plan([one], 1).packs
        train_pack(pack, lambda event: None, lambda: False)
        record = record_of(one)
        write_json(record.path / "summary.json", {**(record.read_summary() or {}), "seconds": seconds})
        if hardware is not None:
            write_json(record.path / "status.json", {**(record.read_status() or {}), "hardware": hardware})
        return one

    return train


def test_finished_runs_of_the_kind_say_how_long_it_takes(trained: Callable[..., Any], tmp_path: Path) -> None:
    """12 updates each: from 0.5 to 2 s an update, for two runs in a pack."""
    done = [trained(seconds, seed=seed) for seed, seconds in enumerate((6, 24, 12))]
    found = forecast(plan([*done, job(tmp_path, seed=7), job(tmp_path, seed=8)], 1), 1)
    assert [kind.recorded for kind in found.kinds] == [True]
    assert found.seconds == pytest.approx((2 * 12 * 0.5 / FASTER, 2 * 12 * 2.0 * SLOWER + START * (1 + found.load)))


def test_finished_runs_of_other_hardware_say_when_runs_end_but_not_how_fast(
    trained: Callable[..., Any], tmp_path: Path, a_second_an_update: None
) -> None:
    options = {"training_stop_when_solved": True, "training_solved_evals": 1, "training_max_updates": 12}
    done = [trained(6, hardware="another", seed=seed, **options) for seed in range(3)]
    ends = [one.update for one in finished_runs(done)]
    found = forecast(plan([*done, job(tmp_path, seed=7, **options)], 1), 1)
    assert [kind.recorded for kind in found.kinds] == [False]
    assert found.seconds.least == pytest.approx((3 + sum(ends)) / 4 / FASTER)


@pytest.mark.parametrize(
    ("device", "runs", "took"),
    [
        ("cpu", 1, 0.5),
        ("cpu", 64, 32.0),  # run after run
        ("cuda", 64, 32.0),  # the pack of 64
        ("cuda", 40, 32.0),  # no less than that
        ("cuda", 128, 64.0),  # at most twice as long
        ("cuda", 31, None),  # of which it says nothing
        ("cuda", 129, None),
    ],
)
def test_on_a_gpu_only_packs_of_about_the_size_count(device: str, runs: int, took: float | None) -> None:
    finished = [FinishedRun(job("/nowhere").run, 12, pace, "a GPU", 64.0) for pace in (0.5, 0.75)]
    assert pack_pace(finished, runs, device) == (took and Range(took, 1.5 * took))
    assert pack_pace([], runs, device) is None


def test_a_record_takes_some_time() -> None:
    assert 0 < module.record_seconds(job("/nowhere", gap=400).run, CPU) < 60


def test_a_run_with_a_curriculum_is_too_also_where_nothing_smaller_is_left_of_its_task() -> None:
    run = job("/nowhere", gap=2).run
    run = replace(run, training=replace(run.training, curriculum="naive"))
    assert module.record_seconds(run, CPU) > 0


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


def kind(number: int, runs: int, seconds: Range | None, size: int, recorded: bool = False, **options: Any) -> PackKind:
    jobs = [job("/nowhere", seed=seed, **options) for seed in range(runs)]
    return PackKind(jobs[0].run, (pack(number, *jobs),), seconds, size, recorded)


ONE = kind(0, 2, Range(10, 30), 5_000_000)
WHOLE = Forecast(
    (ONE,), workers=2, seconds=Range(70, 1234), bytes=610_000_000, pack_bytes=5_000_000, shared_bytes=300_000_000,
    on_gpu=False, load=0.1,
)  # fmt: skip
MEASURED = "time from a few updates of packs like these, measured here"


def lines(said: Forecast) -> list[str]:
    return in_words(said).splitlines()


def test_it_says_how_long_how_large_and_how_it_is_known() -> None:
    time, memory, source, blank, *table = lines(WHOLE)
    assert time == "1 min 10 s to 21 min with 2 workers"
    assert memory.startswith("about 610 MB of memory at the peak: 300 MB for lrd itself, 160 MB a worker and up to ")
    assert memory.endswith(" and up to 5 MB for the largest pack")
    assert source == MEASURED
    assert blank == ""
    assert table[2].split("  ")[0] == "adding"
    assert " ".join(table[2].split()) == "adding 4 rnn 3 2 1 2 12 10 s to 30 s 5 MB"


def test_what_ends_early_is_named() -> None:
    early = kind(0, 1, Range(1, 30), 1, training_stop_when_solved=True)
    assert lines(replace(WHOLE, kinds=(early,)))[0].endswith(" with 2 workers: the less, the sooner runs are solved")


def test_runs_with_training_gradient_norms_are_counted(a_second_an_update: None) -> None:
    with_norms, without = (
        [job("/nowhere", seed=seed, training_gradient_norms=on) for seed in (0, 1)] for on in (True, False)
    )
    said = "the norms of the training loss's gradient at every update are recorded in 2 of 4 runs"
    assert lines(of(*with_norms, *without))[3] == said
    assert lines(of(*without))[3] == ""


def test_a_busy_machine_is_named() -> None:
    assert lines(replace(WHOLE, load=1.5))[2] == f"{MEASURED}; it is busy now, which makes training longer"


def test_one_worker_is_the_process_itself() -> None:
    time, memory, *_ = lines(replace(WHOLE, workers=1))
    assert time.endswith("with one worker")
    assert "300 MB for lrd itself and up to 5 MB" in memory


def test_a_gpu_is_named() -> None:
    assert lines(replace(WHOLE, on_gpu=True))[1].endswith("up to 5 MB on its GPU")


def test_it_is_said_whence_the_time_is_known() -> None:
    known, lost = replace(ONE, recorded=True), replace(ONE, seconds=None)
    assert lines(replace(WHOLE, kinds=(known,)))[2] == "time from finished runs of the same kind"
    assert lines(replace(WHOLE, kinds=(known, ONE)))[2] == (
        "time from finished runs of the same kind, else a few updates of packs like these, measured here"
    )
    *_, row = lines(replace(WHOLE, kinds=(lost,)))
    assert row.split()[8] == "?"
    assert lines(replace(WHOLE, kinds=(ONE, lost)))[2] == (
        f"{MEASURED}; 1 of 2 kinds of packs could not be measured and are left out"
    )


def test_kinds_that_the_table_cannot_tell_apart_are_one_row_with_the_largest_pack() -> None:
    other = kind(1, 5, Range(20, 90), 4_000_000, optimizer_name="sgd")
    named = kind(2, 1, Range(1, 1), 1_000_000, cell_label="other")
    rows = lines(replace(WHOLE, kinds=(ONE, other, named)))[6:]
    assert [row.split()[2] for row in rows] == ["other", "rnn"]
    assert " ".join(rows[1].split()[4:]) == "7 2 2-5 12 10 s to 1 min 30 s 5 MB"
