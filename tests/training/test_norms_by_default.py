"""Where runs have training gradient norms that nobody asked for: which kernel gives them, and what records then hold.

What gives them for free depends on the machine. Here the general kernel of the vanilla RNN stands for such a kernel.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_pack, run_spec

from lrd.cells import GRU, LSTM, RNN, Attentive, Cell, Clockwork
from lrd.kernels import KERNELS, fused
from lrd.records import RunRecord, Tracker, open_study
from lrd.records.tracker import NullTracker
from lrd.spec import Place, RunSpec
from lrd.tasks import Adding, Copy, Task
from lrd.training import Pack, train
from lrd.training.norms_by_default import has_norms
from lrd.training.tricks import update_kernel

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TASK = Adding(gap=12)
STACK = RNN(hidden_size=4, layers=2)
CELLS = (RNN(), RNN(activation="identity"), LSTM(), GRU(), Attentive().for_length(12), Clockwork(modules=2), STACK)
#: Options that exclude norms.
APART: tuple[dict[str, Any], ...] = ({"norm_stabilizer": 1.0}, {"curriculum": "naive"})
SMALL: dict[str, Any] = {"eval_samples": 20, "test_samples": 20, "samples": 3, "eval_every": 10, "batch_size": 4}


def spec(cell: Cell, task: Task = TASK, **options: Any) -> RunSpec:
    return run_spec(task, cell, **options)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Make a machine whose CPU has only general kernels; that of the RNN gives norms for free, or not."""
    every = dict(KERNELS)
    for name in [name for name, kernel in KERNELS.items() if kernel.free_norms and "cpu" in kernel.devices]:
        monkeypatch.delitem(KERNELS, name)

    def set_to(value: bool) -> None:
        monkeypatch.setitem(KERNELS, "packed", dataclasses.replace(KERNELS["packed"], free_norms=value))

    set_to(False)
    yield set_to
    # In the order of before, which is that of preference: monkeypatch alone would put what it took away last.
    KERNELS.clear()
    KERNELS.update(every)


def test_only_kernels_with_norms_give_them_for_free() -> None:
    assert all(kernel.norms for kernel in KERNELS.values() if kernel.free_norms)
    assert {name for name, kernel in KERNELS.items() if kernel.free_norms} >= {
        "triton_rnn",
        "triton_lstm",
        "triton_gru",
    }


def test_on_a_cpu_they_are_on_where_the_kernel_gives_them(free: Callable[[bool], None]) -> None:
    assert not any(has_norms(spec(cell)) for cell in CELLS)
    free(True)
    assert [cell for cell in CELLS if has_norms(spec(cell))] == list(CELLS[:2])
    assert not any(has_norms(spec(RNN(), Copy(gap=12), **options)) for options in APART)
    assert has_norms(spec(RNN(), precision="float64"))
    assert has_norms(spec(RNN(), omega=0.5, truncate=3))
    for cell in CELLS:
        assert has_norms(spec(cell, gradient_norms=True))
        assert not has_norms(spec(cell, gradient_norms=False))


def test_on_a_gpu_a_pack_has_them_and_a_run_alone_on_torchs_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "launchable", lambda: True)
    assert [cell for cell in CELLS if has_norms(spec(cell), GPU, 2)] == list(CELLS[:4])
    assert [cell for cell in CELLS if has_norms(spec(cell), GPU, 1)] == [CELLS[1]]  # of which torch has no kernel
    assert has_norms(spec(LSTM(), h_detach=0.5), GPU, 1)
    assert has_norms(spec(GRU(), precision="bfloat16"), GPU, 2)
    assert not any(has_norms(spec(cell, precision="float64"), GPU, 2) for cell in CELLS)  # other kernels run there
    monkeypatch.setattr(fused, "launchable", lambda: False)
    assert not any(has_norms(spec(cell), GPU, 2) for cell in CELLS)


def test_norms_that_are_on_by_themselves_choose_no_kernel(
    free: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    free(True)
    for triton, device, runs, cell in itertools.product((True, False), (CPU, GPU), (1, 2), CELLS):
        monkeypatch.setattr(fused, "launchable", lambda triton=triton: triton)
        for precision in ("float32", "float64"):
            chosen = {
                update_kernel(spec(cell, precision=precision, gradient_norms=value), device, runs)
                for value in (None, False)
            }
            assert len(chosen) == 1


def test_they_are_those_that_are_asked_for_and_change_nothing(free: Callable[[bool], None]) -> None:
    free(True)
    by_itself, asked, off = (
        make_pack(*(run_spec(TASK, RNN(hidden_size=5), seed, gradient_norms=value) for seed in range(2)))
        for value in (None, True, False)
    )
    for pack in (by_itself, asked, off):
        for _ in range(3):
            pack.step()
    assert torch.equal(by_itself.theta, off.theta)
    assert torch.equal(asked.theta, off.theta)
    for mine, theirs in zip(by_itself.norm_tables(), asked.norm_tables(), strict=True):
        assert mine.keys() == theirs.keys()
        for name, column in mine.items():
            np.testing.assert_array_equal(column, theirs[name])
    assert off.norm_tables() == [{}, {}]


@pytest.mark.parametrize("runs", [1, 3])
def test_a_pack_of_copies_sums_up_what_its_own_kernel_gives(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies have another kernel than the one run that they are copied from, as on a GPU."""
    monkeypatch.setattr("lrd.training.net.has_norms", lambda spec, device, runs: runs > 1)
    pack = Pack.of_copies(spec(RNN(hidden_size=3), gradient_norms=True), runs, CPU)
    pack.step()
    assert [len(table) > 0 for table in pack.norm_tables()] == [runs > 1] * runs


def go(folder: Path, runs: list[RunSpec], stop_at: int = 10**6, tracker: Tracker | None = None) -> None:
    calls = itertools.count()
    place = Place(runs_dir=str(folder), study="s")
    train(runs, place, tracker or NullTracker(), CPU, should_stop=lambda: next(calls) >= stop_at)


def covered(folder: Path, run: RunSpec) -> dict[int, int]:
    """The number of updates that the rows at each update cover; {} without the table."""
    columns = RunRecord(folder, "s", run.run_id).read_table("gradient_norms")
    return dict(zip(columns["update"].tolist(), columns["updates"].tolist(), strict=True)) if columns else {}


RUNS = [run_spec(TASK, RNN(hidden_size=4), seed, max_updates=12, **SMALL) for seed in range(2)]


def test_records_have_the_table_or_not(free: Callable[[bool], None], tmp_path: Path) -> None:
    free(True)
    go(tmp_path, RUNS[:1])
    free(False)
    go(tmp_path, RUNS[1:])
    assert [covered(tmp_path, run) for run in RUNS] == [{1: 1, 2: 1, 5: 3, 10: 5, 12: 2}, {}]
    study = open_study(tmp_path / "s")
    assert study.check() == []
    assert study.sql("select distinct run_id from gradient_norms").fetchall() == [(RUNS[0].run_id,)]


class Pictures(NullTracker):
    """A mirror that keeps at which updates a row was added to a picture."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}

    def profiles(self, run_id: str, update: int, log10_norms: Any) -> None:
        for name in log10_norms:
            self.rows.setdefault(name, []).append(update)


def test_a_mirror_pictures_them_unasked(free: Callable[[bool], None], tmp_path: Path) -> None:
    shown, without = Pictures(), Pictures()
    go(tmp_path / "without", RUNS[:1], tracker=without)
    free(True)
    go(tmp_path / "with", RUNS[:1], tracker=shown)
    flow = {"gradient_flow/h": [0, 1, 2, 5, 10, 12]}
    assert without.rows == flow
    assert shown.rows == flow | {"gradient_norms/h": [1, 2, 5, 10, 12]}


def test_a_run_that_began_without_them_has_them_from_there_on(free: Callable[[bool], None], tmp_path: Path) -> None:
    go(tmp_path, RUNS, stop_at=7)
    free(True)
    go(tmp_path, RUNS)
    assert [covered(tmp_path, run) for run in RUNS] == [{10: 3, 12: 2}] * 2
    go(tmp_path / "whole", RUNS)
    for run in RUNS:
        found, whole = (RunRecord(at, "s", run.run_id) for at in (tmp_path, tmp_path / "whole"))
        trained, expected = (record.load_checkpoint()["pack"]["theta"] for record in (found, whole))  # type: ignore[index]
        assert torch.equal(trained, expected)


def test_a_run_that_goes_on_without_them_keeps_the_rows_that_it_has(
    free: Callable[[bool], None], tmp_path: Path
) -> None:
    free(True)
    go(tmp_path, RUNS, stop_at=7)
    free(False)
    go(tmp_path, RUNS)
    assert [covered(tmp_path, run) for run in RUNS] == [{1: 1, 2: 1, 5: 3}] * 2
    assert all(RunRecord(tmp_path, "s", run.run_id).finished for run in RUNS)


def test_runs_of_a_pack_that_began_with_and_without_them(free: Callable[[bool], None], tmp_path: Path) -> None:
    go(tmp_path, RUNS[:1], stop_at=7)
    free(True)
    go(tmp_path, RUNS[1:], stop_at=7)
    go(tmp_path, RUNS)
    assert [covered(tmp_path, run) for run in RUNS] == [{10: 3, 12: 2}, {1: 1, 2: 1, 5: 3, 10: 5, 12: 2}]


def test_a_table_of_an_attempt_that_is_not_gone_on_from_does_not_stay(
    free: Callable[[bool], None], tmp_path: Path
) -> None:
    free(True)
    go(tmp_path, RUNS, stop_at=7)
    for run in RUNS:
        assert covered(tmp_path, run)
        (RunRecord(tmp_path, "s", run.run_id).path / "checkpoint.pt").unlink()
    free(False)
    go(tmp_path, RUNS)
    assert [covered(tmp_path, run) for run in RUNS] == [{}, {}]
    assert open_study(tmp_path / "s").check() == []


def test_a_run_recorded_before_null_is_accepted_and_read_as_it_is(tmp_path: Path) -> None:
    """Its run.json says false, as did that of every run without norms."""
    old = run_spec(TASK, RNN(hidden_size=4), max_updates=12, gradient_norms=False, **SMALL)
    go(tmp_path, [old])
    record = RunRecord(tmp_path, "s", RUNS[0].run_id)
    assert record.finished
    assert record.read_run()["spec"]["training"]["gradient_norms"] is False
    assert open_study(tmp_path / "s").sql("select training_gradient_norms from runs").fetchall() == [(False,)]
