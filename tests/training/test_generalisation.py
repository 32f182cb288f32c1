"""Tests beyond the trained gap: beside a plain loop in float64 on the same sequences; what they may not depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import loop_of_cells, run_spec
from reference import plain_flow

from lrd.cells import LSTM, RNN, Attentive, Cell
from lrd.custom import load
from lrd.kernels import loop
from lrd.records import RunRecord
from lrd.records.mirrored_run import read_mirrored_run
from lrd.records.tracker import NullTracker
from lrd.shapes import Tensor
from lrd.spec import Evaluation, Place, RunSpec
from lrd.tasks import Adding, Batch, Copy, Delay, Task
from lrd.training import initial_parameters, split_theta, train
from lrd.training.journal import Journal

SMALL = {"batch_size": 4, "eval_samples": 20, "test_samples": 300, "samples": 3, "eval_every": 10, "max_updates": 20}
COPY, ADDING = Copy(gap=6, items=2, symbols=3, convention="gu2020"), Adding(gap=9)
#: Below the trained gap and above it.
GAPS = (3, 30)


def spec_of(
    task: Task, cell: Cell, seed: int = 0, gaps: tuple[int, ...] = GAPS, flow: bool = True, **how: Any
) -> RunSpec:
    cell = cell.for_length(task.sequence_length)
    return replace(run_spec(task, cell, seed, **SMALL | how), evaluation=Evaluation(gaps, flow))


def trained(folder: Path, *specs: RunSpec, stop: Any = lambda: False) -> list[RunRecord]:
    train(specs, Place(runs_dir=str(folder), study="s"), NullTracker(), torch.device("cpu"), should_stop=stop)
    return [RunRecord(folder, "s", spec.run_id) for spec in specs]


def tables(record: RunRecord) -> dict[str, dict[str, np.ndarray]]:
    names = ("generalisation", "generalisation_flow", "generalisation_fit")
    return {name: record.read_table(name) for name in names}


def values(record: RunRecord) -> dict[tuple[int, str], float]:
    """The metrics by tested gap and name."""
    rows = record.read_table("generalisation")
    return dict(zip(zip(rows["tested_gap"].tolist(), rows["metric"], strict=True), rows["value"], strict=True))


def final_parameters(record: RunRecord, spec: RunSpec) -> dict[str, Tensor]:
    theta = record.load_checkpoint()["pack"]["theta"][None]
    return split_theta(theta, {name: tuple(p.shape) for name, p in initial_parameters(spec).items()})


def outputs_of(cell: Cell, params: dict[str, Tensor], batch: Batch, first: int) -> Tensor:
    """The readout of one run at the loss steps in float64: for the attentive cell by its step, else by a plain loop."""
    p = {name: value.double() for name, value in params.items()}
    x = batch.inputs.double()
    if isinstance(cell, Attentive):
        h = [state[0][0] for state in loop.unroll(cell, p, x)]
    else:
        h = [state[0] for state in loop_of_cells(cell, {name: value[0] for name, value in p.items()}, x[:, 0])]
    return torch.stack(h[first:]) @ p["V"][0].T + p["V_bias"][0]


@pytest.mark.parametrize(
    ("task", "cell"), [(COPY, RNN(hidden_size=4)), (ADDING, LSTM(hidden_size=3)), (COPY, Attentive(hidden_size=4))]
)
def test_metrics_are_those_of_a_plain_loop_on_the_test_set_of_each_gap(task: Task, cell: Cell, tmp_path: Path) -> None:
    spec = spec_of(task, cell, flow=False)
    (record,) = trained(tmp_path, spec)
    params, found = final_parameters(record, spec), values(record)
    assert {gap for gap, _ in found} == {*GAPS, task.gap}
    for gap in (*GAPS, task.gap):
        there = replace(task, gap=gap)
        whole = cell.for_length(there.sequence_length)  # the attentive cell sees all past states
        losses: list[Tensor] = []
        right: list[Tensor] = []
        for number, size in enumerate((256, 44)):  # as the test set is drawn
            batch = there.batch(torch.tensor([spec.seed]), "test", number, size)
            said = outputs_of(whole, params, batch, there.loss_steps.start)
            if task.classification:
                losses.append(-torch.log_softmax(said, -1).gather(-1, batch.targets[:, 0, :, None])[..., 0].mean(0))
                right.append((said.argmax(-1) == batch.targets[:, 0]).double().mean(0))
            else:
                losses.append((said - batch.targets[:, 0].double()).square().mean((0, 2)))
        # float32 against float64: at most 40 steps of 4 units, each some 1e-7.
        assert found[gap, "loss"] == pytest.approx(float(torch.cat(losses).mean()), rel=1e-4)
        if right:
            assert found[gap, "recall_accuracy"] == pytest.approx(float(torch.cat(right).mean()), abs=2 / 300)


def test_the_attentive_cell_would_fare_otherwise_with_the_memory_of_its_trained_length(tmp_path: Path) -> None:
    """So the test above tells the two apart."""
    spec = spec_of(COPY, Attentive(hidden_size=4), flow=False)
    (record,) = trained(tmp_path, spec)
    there = replace(COPY, gap=30)
    batch = there.batch(torch.tensor([0]), "test", 0, 8)
    said = [outputs_of(c, final_parameters(record, spec), batch, 0) for c in (spec.cell, spec.tested[-1].cell)]
    assert not torch.allclose(*said, rtol=0, atol=1e-3)


def test_at_the_trained_gap_they_are_the_metrics_of_the_summary(tmp_path: Path) -> None:
    (record,) = trained(tmp_path, spec_of(COPY, RNN(hidden_size=4)))
    summary = record.read_summary()
    mine = {f"test_{metric}": value for (gap, metric), value in values(record).items() if gap == COPY.gap}
    assert mine
    assert mine == {name: value for name, value in summary.items() if name.startswith("test_")}


def test_each_row_says_length_lags_chance_and_criterion_at_its_gap(tmp_path: Path) -> None:
    """The chance level of copy with all steps scored: the same sum over more steps (Arjovsky et al. 2016)."""
    task = Copy(gap=6, items=2, symbols=3, convention="arjovsky2016")
    (record,) = trained(tmp_path, spec_of(task, RNN(hidden_size=4)))
    rows = record.read_table("generalisation")
    assert set(rows["update"]) == {20}
    for gap in (3, 6, 30):
        mine = {name: column[rows["tested_gap"] == gap] for name, column in rows.items()}
        assert set(mine["tested_length"]) == {gap + 4}
        assert set(mine["tested_smallest_lag"]) == set(mine["tested_largest_lag"]) == {gap + 2}
        assert mine["chance_level"][mine["metric"] == "loss"] == pytest.approx(2 * np.log(3) / (gap + 4))
        assert set(mine["meets_criterion"]) == {0}


def test_the_criterion_is_judged_at_each_gap(tmp_path: Path) -> None:
    """A network that holds the only answer there is meets it everywhere; of two answers, chance does not."""
    one, two = (Delay(gap=4, tokens=1, alphabet=alphabet) for alphabet in (2, 3))
    easy = spec_of(replace(one, gap=1), LSTM(hidden_size=12), gaps=(1,), lr=0.05, max_updates=300)
    hard = spec_of(two, RNN(hidden_size=3))
    (solved,), (unsolved,) = trained(tmp_path, easy), trained(tmp_path, hard)
    assert solved.read_summary()["outcome"] == "solved"
    rows = solved.read_table("generalisation")
    assert rows["value"][rows["metric"] == "accuracy"].min() >= 0.99
    assert set(rows["meets_criterion"]) == {1}
    assert set(unsolved.read_table("generalisation")["meets_criterion"]) == {0}


@pytest.mark.parametrize("cell", [RNN(hidden_size=4), LSTM(hidden_size=3)])
def test_gradient_flow_there_is_that_of_autograd_through_a_plain_loop(cell: Cell, tmp_path: Path) -> None:
    spec = spec_of(COPY, cell)
    (record,) = trained(tmp_path, spec)
    rows = record.read_table("generalisation_flow")
    assert set(rows["tested_gap"]) == {*GAPS, COPY.gap}
    for gap in GAPS:
        there = replace(COPY, gap=gap)
        batch = there.batch(torch.tensor([spec.seed]), "probe", 0, 3)
        total, _ = plain_flow(there, cell, final_parameters(record, spec), batch, "last", 0)
        for variable, norms in total.items():
            chosen = (rows["tested_gap"] == gap) & (rows["variable"] == variable) & (rows["part"] == "total")
            order = np.argsort(rows["t"][chosen])
            # Measured in float32: some 1e-6 a step, relative, over at most 34 steps.
            np.testing.assert_allclose(rows["log10_gmean"][chosen][order], norms.mean(1), rtol=0, atol=1e-4)
    fits = record.read_table("generalisation_fit")
    assert list(zip(fits["tested_gap"], fits["variable"], strict=True)) == [
        (gap, variable) for gap in (3, 6, 30) for variable in cell.state_names
    ]


def test_it_is_not_measured_unless_asked_for(tmp_path: Path) -> None:
    (tested,) = trained(tmp_path, spec_of(COPY, RNN(hidden_size=4), flow=False))
    assert tested.read_table("generalisation")
    assert not tested.read_table("generalisation_flow")
    (alone,) = trained(tmp_path, replace(spec_of(COPY, RNN(hidden_size=4)), evaluation=Evaluation()))
    assert not any(tables(alone).values())


class Mirror(NullTracker):
    """Keeps the summary that a mirror is shown."""

    def finish(self, run_id: str, summary: Any) -> None:
        self.summary = dict(summary)


def test_a_mirror_shows_them_in_its_summary_live_and_from_the_record_alike(tmp_path: Path) -> None:
    spec, mirror = spec_of(COPY, RNN(hidden_size=4)), Mirror()
    train([spec], Place(runs_dir=str(tmp_path), study="s"), mirror, torch.device("cpu"))
    record = RunRecord(tmp_path, "s", spec.run_id)
    at_gaps = {f"test_{metric}_at_gap_{gap}": value for (gap, metric), value in values(record).items()}
    assert mirror.summary == record.read_summary() | at_gaps
    assert read_mirrored_run(record.path).summary == mirror.summary


def test_nothing_else_in_the_record_changes(tmp_path: Path) -> None:
    spec = spec_of(COPY, LSTM(hidden_size=3))
    records = *trained(tmp_path, spec), *trained(tmp_path, replace(spec, evaluation=Evaluation()))
    first, second = ({n: v for n, v in record.read_summary().items() if n != "seconds"} for record in records)
    assert first == second
    for table in ("metrics", "gradient_flow", "gradient_fit"):
        one, other = (record.read_table(table) for record in records)
        assert all(np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one)
    thetas = [record.load_checkpoint()["pack"]["theta"] for record in records]
    assert torch.equal(*thetas)


def assert_same_tables(one: RunRecord, other: RunRecord) -> None:
    for name, columns in tables(one).items():
        assert columns
        for column, numbers in columns.items():
            np.testing.assert_array_equal(numbers, tables(other)[name][column])


@pytest.mark.parametrize("cell", [RNN(hidden_size=4), LSTM(hidden_size=3), Attentive(hidden_size=4)])
def test_they_do_not_depend_on_companions(cell: Cell, tmp_path: Path) -> None:
    specs = [spec_of(COPY, cell, seed, lr=lr) for seed, lr in ((0, 0.01), (1, 0.1), (2, 0.02))]
    together = trained(tmp_path / "together", *specs)
    for spec, record in zip(specs, together, strict=True):
        assert_same_tables(record, *trained(tmp_path / "alone", spec))


def test_a_run_that_diverged_is_tested_with_its_last_parameters(tmp_path: Path) -> None:
    spec = spec_of(ADDING, RNN(hidden_size=4, activation="relu"), optimizer="sgd", lr=1e30, clip="none")
    (record,) = trained(tmp_path, spec)
    assert record.read_summary()["outcome"] == "diverged"
    rows = record.read_table("generalisation")
    assert set(rows["tested_gap"]) == {3, 9, 30}
    assert set(rows["update"]) == {record.read_summary()["update"]}


def test_a_run_that_was_cut_off_between_its_tests_and_its_end_has_their_rows_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(COPY, RNN(hidden_size=4))
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "cut", spec)
    (record,) = trained(tmp_path / "cut", spec)
    assert record.read_status()["resumed"] == 1
    assert_same_tables(record, *trained(tmp_path / "whole", spec))


def test_a_task_and_a_cell_of_a_researchers_own_are_tested_as_well(tmp_path: Path) -> None:
    examples = Path(__file__).resolve().parents[2] / "docs" / "examples"
    task = load("task", f"{examples / 'my_task.py'}:First")(gap=6)
    cell = load("cell", f"{examples / 'my_cell.py'}:MGU")(hidden_size=4)
    spec = spec_of(task, cell)
    (record,) = trained(tmp_path, spec)
    params, found = final_parameters(record, spec), values(record)
    for gap in GAPS:
        there = replace(task, gap=gap)
        losses: list[Tensor] = []
        for number, size in enumerate((256, 44)):
            batch = there.batch(torch.tensor([spec.seed]), "test", number, size)
            p = {name: value.double() for name, value in params.items()}
            h = [state[0][0] for state in loop.unroll(cell, p, batch.inputs.double())]
            said = h[gap] @ p["V"][0].T + p["V_bias"][0]
            losses.append(-torch.log_softmax(said, -1).gather(-1, batch.targets[0, 0, :, None])[:, 0])
        assert found[gap, "loss"] == pytest.approx(float(torch.cat(losses).mean()), rel=1e-4)
    assert set(record.read_table("generalisation_fit")["tested_gap"]) == {*GAPS, 6}
