"""A plan partitions what is left of a sweep into packs, exactly."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import config, job

from lrd.records import RecordError
from lrd.spec import Job, SpecError
from lrd.sweeps import plan as plans
from lrd.sweeps.plan import jobs_from_configs, plan, record_of, writable
from lrd.sweeps.sizes import MAX_RUNS


class Known:
    """Stands for the records on disk: a run that is finished, or its checkpoint's update, or a damaged one."""

    def __init__(self, state: Any) -> None:
        self.finished = state == "finished"
        self.state = state

    def checkpoint_update(self) -> int | None:
        if self.state == "damaged":
            raise RecordError("cannot read it")
        return self.state if isinstance(self.state, int) else None


RUNS = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["rnn", "lstm"]),
        "gap": st.integers(3, 4),
        "seed": st.integers(0, 19),
        "optimizer_lr": st.sampled_from([0.1, 0.2]),  # may differ inside a pack
        "training_max_updates": st.sampled_from([10, 20]),
        "study": st.sampled_from(["a", "b"]),
    }
).map(lambda options: options | {"tracker_mode": ("offline", "disabled")[options["seed"] % 2]})  # one, of each run
STATES = st.sampled_from([None, None, "finished", "damaged", 3, 7])


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(RUNS, STATES), max_size=60), st.integers(1, 5))
def test_packs_partition_what_is_left(monkeypatch: pytest.MonkeyPatch, sweep: list[Any], workers: int) -> None:
    given_jobs = [(job(**options), state) for options, state in sweep]
    known = {record_of(j).path: Known(state) for j, state in reversed(given_jobs)}
    with monkeypatch.context() as patch:
        patch.setattr(plans, "record_of", lambda j: known[record_of(j).path])
        jobs = jobs_from_configs([config(**options) for options, _ in sweep])
        made = plan(jobs, workers)

    def path(j: Job) -> Path:
        return record_of(j).path

    # every run once, whatever the sweep repeats; the finished ones left out; the rest in exactly one pack
    assert [path(j) for j in made.runs] == list(dict.fromkeys(path(j) for j, _ in given_jobs))
    assert [path(j) for j in made.finished] == [path(j) for j in made.runs if known[path(j)].finished]
    packed = Counter(path(j) for pack in made.packs for j in pack.jobs)
    assert packed == Counter(path(j) for j in made.runs if not known[path(j)].finished)

    left = packed.total()
    for pack in made.packs:
        first = pack.jobs[0]
        assert {(j.run.pack_key, j.place, j.tracker) for j in pack.jobs} == {
            (first.run.pack_key, first.place, first.tracker)
        }
        starts = [s if isinstance(s := known[path(j)].state, int) else 0 for j in pack.jobs]
        assert set(starts) == {pack.start}
        assert 1 <= len(pack.jobs) <= min(MAX_RUNS, math.ceil(left / workers))
        assert pack.work == len(pack.jobs) * (first.run.training.max_updates - pack.start)
    costs = [pack.cost for pack in made.packs]
    assert costs == sorted(costs, reverse=True)
    assert len({pack.number for pack in made.packs}) == len(made.packs)
    assert made.folders == sorted({str(j.place.folder) for j in made.runs})


@pytest.mark.parametrize(
    ("cell", "batch", "runs", "workers", "sizes"),
    [
        ("lstm_peephole", 2000, 20, 1, [10, 10]),
        ("lstm_peephole", 2000, 40, 2, [14, 13, 13]),
        ("lstm", 2000, 20, 1, [10, 10]),
        ("lstm", 2000, 40, 2, [5] * 8),  # several for each worker
        ("lstm", 2000, 10, 2, [3, 3, 2, 2]),  # but not in crumbs
        ("lstm", 2000, 400, 2, [16] * 25),
        ("lstm", 2, 10, 2, [5, 5]),  # what an update of them costs beside the kernel is most of it
    ],
)
def test_packs_are_as_large_as_their_kernel_gains_from_and_even(
    tmp_path: Path, cell: str, batch: int, runs: int, workers: int, sizes: list[int]
) -> None:
    jobs = [job(tmp_path, cell=cell, training_batch_size=batch, seed=seed) for seed in range(runs)]
    made = plan(jobs, workers)
    assert sorted((len(pack.jobs) for pack in made.packs), reverse=True) == sizes


def test_there_is_a_pack_for_every_worker(tmp_path: Path) -> None:
    assert len(plan([job(tmp_path, seed=seed) for seed in range(4)], workers=4).packs) == 4


def test_longer_wider_and_gated_runs_cost_more() -> None:
    def cost(**options: Any) -> float:
        return plan([job("/nowhere", **options)], 1).packs[0].cost

    more: list[dict[str, Any]] = [{"gap": 5}, {"cell": "lstm"}, {"cell_hidden_size": 4}, {"training_batch_size": 3}]
    assert all(cost(**options) > cost() for options in more)
    made = plan([job("/nowhere")], 1).packs[0]
    assert made.cost > replace(made, start=6).cost > 0
    assert replace(made, jobs=made.jobs * 2).cost > made.cost


def test_every_distinct_mistake_of_a_sweep_is_one_line() -> None:
    sweep = [config(seed=seed, gap=gap) for seed in (-1, 0) for gap in (0, 4)] + [config(device="gpu", cell_gain="x")]
    with pytest.raises(SpecError) as caught:
        jobs_from_configs(sweep)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["task.gap", "seed", "cell.gain"]
    with pytest.raises(SpecError, match=r"^device: must be auto, cpu"):
        jobs_from_configs([config(device="gpu")])


def test_a_folder_that_cannot_be_made_or_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("n" * 256), Path("/proc/lrd")):
        with pytest.raises(SpecError, match=f"^runs_dir: cannot make {folder}"):
            writable(folder)
    writable(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_made_to_see_whether_it_can_be_goes_again_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "there" / "b" / "c"):
        writable(folder, keep=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_plan_loads_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs the updates alone; what is about to be trained is loaded, to find what is damaged."""
    jobs = [job(tmp_path, seed=seed) for seed in range(3)]
    for each, update in zip(jobs, (5, 5, 8), strict=True):
        record_of(each).path.mkdir(parents=True)
        record_of(each).save_checkpoint({"pack": {"update": update, "theta": torch.zeros(1000)}})

    def load(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a checkpoint was loaded")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", load)
        packs = plan(jobs, 1).packs
    assert {pack.start: len(pack.jobs) for pack in packs} == {5: 2, 8: 1}
    path = record_of(jobs[0]).path / "checkpoint.pt"
    data = bytearray(path.read_bytes())
    data[data.index(bytes(4000))] ^= 1  # in the parameters
    path.write_bytes(data)
    assert {pack.start: len(pack.jobs) for pack in plan(jobs, 1, load=True).packs} == {0: 1, 5: 1, 8: 1}
