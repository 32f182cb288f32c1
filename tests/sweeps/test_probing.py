"""Measuring trained runs: what training would have seen, nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import job

from lrd.gradients.schema import PART_COLUMNS
from lrd.probes import PROBES, GradientFlow, ParameterGradient, Probe
from lrd.records import RunRecord, open_study
from lrd.records.run_lock import take_run_lock
from lrd.spec import Job
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.probing import agenda, measure
from lrd.sweeps.workers import train_pack

PROBE = ParameterGradient(samples=2)
BOTH = ("start", "end")


def trained(root: Path, stop: int | None = None, **options: Any) -> list[Job]:
    """Two cells, two seeds each; ``stop``: cut off after so many updates."""
    jobs = [job(root, cell=cell, seed=seed, **options) for cell in ("rnn", "lstm") for seed in range(2)]
    for pack in plan(jobs, 1).packs:
        asked = iter(range(10**6))
        train_pack(pack, lambda event: None, lambda asked=asked: stop is not None and next(asked) == stop)
    return jobs


def taken(root: Path, probes: list[Probe], moments: tuple[str, ...] = BOTH, workers: int = 1) -> tuple[int, int]:
    """Take the measurements; how many were there, and how many were taken."""
    study = open_study(root / "s")
    work = agenda(study, study.where("true"), probes, moments)
    assert not work.problems
    assert [reason for _, reason in measure(work.measurements, workers)] == [""] * len(work.measurements)
    return work.done, sum(one.count for one in work.measurements)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], updates: list[int]) -> None:
    assert list(a) == list(b)
    for name, column in b.items():
        kept = np.isin(b["update"], updates)
        np.testing.assert_array_equal(a[name], column[kept], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_measurement_afterwards_is_the_one_in_training_bit_for_bit(tmp_path: Path, workers: int) -> None:
    both = {"gradient_flow": {"samples": 2}, "parameter_gradient": {"samples": 2}}
    seen = trained(tmp_path / "seen", probe=both)
    later = trained(tmp_path / "later")
    assert taken(tmp_path / "later", [PROBE], workers=workers) == (0, 8)
    for mine, other in zip(later, seen, strict=True):
        same(record_of(mine).read_table(PROBE.name), record_of(other).read_table(PROBE.name), [0, 12])
    columns = open_study(tmp_path / "later" / "s").sql("select * from parameter_gradient").columns
    assert columns == ["run_id", "update", *PART_COLUMNS, *PROBE.columns]


#: Of every probe that measures any task, few samples.
FEW: dict[str, dict[str, int]] = {
    "parameter_gradient": {"samples": 2},
    "jacobian": {"samples": 2, "lags": 2},
    "lyapunov": {"samples": 2, "steps": 5, "transient": 0},
    "gates": {"samples": 2},
    "retention": {"samples": 20, "test_samples": 20, "stride": 2},
    "memory_capacity": {"samples": 4, "steps": 10, "largest": 2},
}


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_networks_of_several_layers_are_measured_afterwards_as_in_training(tmp_path: Path, bidirectional: bool) -> None:
    """Every probe, at the start and at the end; rows of each part, which tables say."""
    layered: dict[str, Any] = {"cell_layers": 2, "cell_dropout": 0.2, "cell_bidirectional": bidirectional}
    flow = {"gradient_flow": {"samples": 2}}
    seen = trained(tmp_path / "seen", **layered, probe=flow | FEW)
    later = trained(tmp_path / "later", **layered, probe=flow)
    assert taken(tmp_path / "later", [PROBES[name](**options) for name, options in FEW.items()]) == (
        0,
        4 * 2 * len(FEW),
    )
    directions = ("backward", "forward") if bidirectional else ("forward",)
    for mine, other in zip(later, seen, strict=True):
        for name in FEW:
            table = record_of(mine).read_table(name)
            same(table, record_of(other).read_table(name), [0, 12])
            if name != "gates" or mine.run.cell.name == "lstm":
                found = set(zip(table["layer"].tolist(), table["direction"].tolist(), strict=True))
                assert found == {(layer, direction) for layer in (1, 2) for direction in directions}, name
    assert open_study(tmp_path / "later" / "s").problems == []


@pytest.mark.slow
def test_nothing_is_measured_twice_and_other_options_are_another_measurement(tmp_path: Path) -> None:
    jobs = trained(tmp_path)
    assert taken(tmp_path, [PROBE], ("end",)) == (0, 4)
    assert taken(tmp_path, [PROBE]) == (4, 4)
    assert taken(tmp_path, [PROBE, GradientFlow(samples=2)]) == (16, 0)  # which training did
    before = record_of(jobs[0]).read_table(PROBE.name)
    assert taken(tmp_path, [ParameterGradient(samples=3)], ("end",)) == (0, 4)
    after = record_of(jobs[0]).read_table(PROBE.name)
    same({name: column[after["update"] == 0] for name, column in after.items()}, before, [0])
    assert sorted(set(after["update"])) == [0, 12]
    assert (after["log10_mean"] != before["log10_mean"]).any()


@pytest.mark.slow
def test_what_training_saw_stays(tmp_path: Path) -> None:
    jobs = trained(tmp_path)
    before = record_of(jobs[0]).read_table("gradient_flow")
    study = open_study(tmp_path / "s")
    work = agenda(study, [jobs[0].run.run_id], [GradientFlow(samples=2, answer="all")], BOTH)
    assert work.measurements == ()
    assert (work.done, work.left_out) == (0, 2)
    assert work.problems == (
        f"{jobs[0].run.run_id}: gradient_flow measured in training with other options, which stays; "
        "for these options, train another study with them",
    )
    same(record_of(jobs[0]).read_table("gradient_flow"), before, list(before["update"]))


def test_a_run_that_was_cut_off_is_measured_where_it_stands(tmp_path: Path) -> None:
    jobs = trained(tmp_path, stop=5)
    assert taken(tmp_path, [PROBE]) == (0, 8)
    assert set(record_of(jobs[0]).read_table(PROBE.name)["update"]) == {0, 5}


def test_runs_that_cannot_be_measured_are_named_and_left_out(tmp_path: Path) -> None:
    jobs = trained(tmp_path)
    paths = [record_of(j).path for j in jobs]
    (paths[0] / "checkpoint.pt").unlink()
    (paths[1] / "checkpoint.pt").write_bytes(b"none")
    study = open_study(tmp_path / "s")
    work = agenda(study, [j.run.run_id for j in jobs], [PROBE], ("end",))
    assert sum(len(one.specs) for one in work.measurements) == 2
    assert [problem.split(": ")[0] for problem in work.problems] == [j.run.run_id for j in jobs[:2]]
    assert (work.done, work.left_out) == (0, 2)
    answer = agenda(study, [jobs[2].run.run_id], [ParameterGradient(answer=7)], ("start",))
    named = f"{jobs[2].run.run_id}: probe.parameter_gradient.answer:"
    assert answer.problems == (f"{named} must lie below the task's number of answers, 1, got 7",)


@pytest.mark.slow
def test_a_measurement_that_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    jobs = trained(tmp_path)
    (record_of(jobs[0]).path / "parameter_gradient.parquet").mkdir()  # in the place of the file
    study = open_study(tmp_path / "s")
    work = agenda(study, [j.run.run_id for j in jobs], [PROBE], ("end",))
    reasons = [reason for _, reason in measure(work.measurements, 1)]
    assert len(reasons) == 2
    assert sum("RecordError" in reason for reason in reasons) == 1
    assert RunRecord(tmp_path, "s", jobs[3].run.run_id).read_table(PROBE.name)


def test_a_run_that_another_process_holds_is_left_to_it(tmp_path: Path) -> None:
    jobs = trained(tmp_path)
    study = open_study(tmp_path / "s")
    work = agenda(study, [jobs[0].run.run_id], [PROBE], ("end",))
    lock = take_run_lock(record_of(jobs[0]).path)
    assert lock is not None
    assert [reason for _, reason in measure(work.measurements, 1)] == ["another process is at them"]
    lock.release()
    assert [reason for _, reason in measure(work.measurements, 1)] == [""]
