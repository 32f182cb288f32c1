"""When runs end, from those that have: bounds, and what narrows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import job

from lrd.spec import RunSpec
from lrd.sweeps.endings import end_of, finished_runs, makespan, same_pace
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.workers import train_pack


def spec(**options: Any) -> RunSpec:
    training = {"training_max_updates": 100, "training_eval_every": 10, "training_stop_when_solved": True}
    return job("/nowhere", **(training | {"training_solved_evals": 3} | options)).run


@pytest.mark.parametrize(
    ("at", "options", "soonest"),
    [
        (0, {}, 20),  # evaluations at 0, 10 and 20
        (15, {}, 20),
        (20, {}, 30),
        (95, {}, 100),
        (0, {"training_solved_evals": 1}, 10),
        (0, {"training_solved_evals": 50}, 100),
        (0, {"training_stop_when_solved": False}, 100),
    ],
)
def test_without_finished_runs_it_is_the_soonest_or_the_last_update(
    at: int, options: dict[str, Any], soonest: int
) -> None:
    assert end_of(spec(**options), (), at) == (soonest, 100)


@given(st.lists(st.integers(20, 100)), st.integers(0, 99), st.lists(st.integers(0, 99)))
def test_the_range_holds_the_mean_of_those_that_ended_later_and_narrows(
    ends: list[int], at: int, running: list[int]
) -> None:
    later = [end for end in ends if end > at]  # one that diverged may have ended at any update, not at an evaluation
    least, most = end_of(spec(), ends, at, running)
    wide = end_of(spec(), (), at)
    assert min([wide.least, *later, *running]) <= least <= most <= wide.most
    if later:
        narrow = end_of(spec(), ends * 50, at)
        assert narrow.most - narrow.least <= 2
        assert narrow.least - 2 <= sum(later) / len(later) <= narrow.most + 2


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(1, 5))
def test_idle_workers_take_the_next_pack(seconds: list[float], workers: int) -> None:
    """Graham's bounds of list scheduling."""
    end = makespan(seconds, [0.0] * workers)
    slack = 1e-9 * (1 + sum(seconds))
    assert max(max(seconds), sum(seconds) / workers) - slack <= end <= sum(seconds) / workers + max(seconds) + slack
    assert makespan([], [3.0, 7.0]) == 7
    assert makespan([2.0, 3.0], [3.0, 7.0]) == 8


def test_the_number_of_updates_makes_no_other_pace() -> None:
    base = job("/nowhere").run
    same = [{"training_max_updates": 99}, {"training_stop_when_solved": True}, {"seed": 5}, {"optimizer_lr": 0.5}]
    assert {same_pace(job("/nowhere", **options).run) for options in same} == {same_pace(base)}
    other: list[dict[str, Any]] = [{"gap": 5}, {"cell": "lstm"}, {"training_batch_size": 3}, {"cell_hidden_size": 4}]
    paces = {same_pace(job("/nowhere", **options).run) for options in other}
    assert len(paces | {same_pace(base)}) == 1 + len(other)


def test_finished_runs_are_read_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    jobs = [job(tmp_path, seed=seed) for seed in range(3)]
    for pack in plan(jobs, 1).packs:
        train_pack(pack, lambda event: None, lambda: False)
    path = record_of(jobs[0]).path / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "seconds": 6.0}))
    (record_of(jobs[1]).path / "summary.json").write_text("{")
    first, last = finished_runs([*jobs, job(tmp_path, seed=9)])
    assert (first.run, first.update, first.pace, first.pack_size) == (jobs[0].run, 12, 0.5, 3)
    assert last.run == jobs[2].run
    assert first.hardware
