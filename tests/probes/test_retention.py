"""Retention against a plain numpy loop, and what must not matter to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from subjects import (
    CELLS,
    SEEDS,
    TASKS,
    First,
    assert_looking_changes_nothing,
    assert_no_companion_matters,
    linear,
    parameters_of,
    permuted,
    plain_fit,
    plain_states,
    retention,
    subject_of,
)

from lrd.cells import LSTM, RNN, Cell
from lrd.options import OptionError
from lrd.probes.retention import LEAST, Retention
from lrd.tasks import Adding, Item


def plain_score(item: Item, run: int, mask: np.ndarray, outputs: np.ndarray, mean: np.ndarray) -> tuple[float, ...]:
    truth = item.values[run].numpy()[mask]
    if item.classes is not None:
        right = outputs.argmax(1) == truth
        return right.mean(), (truth == mean.argmax()).mean(), right.std(ddof=1) / math.sqrt(len(right))
    errors, spread = np.square(outputs[:, 0] - truth), np.square(mean[0] - truth)
    ratio = errors.mean() / spread.mean()
    return 1 - ratio, 0.0, np.std(errors - ratio * spread, ddof=1) / spread.mean() / math.sqrt(len(truth))


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("ridge", [None, 0.01])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["copy-arjovsky2016", "adding-hochreiter1997", "adding-bai2018", "delay-gu2022"])
def test_every_number_by_a_plain_loop(task: str, cell: str, ridge: float | None) -> None:
    """The least strength, 1e-6, makes the inverse good to some 1e6 * 10 eps = 1e-9 of weights below 1e3."""
    what, subject, size, tested = TASKS[task], subject_of(TASKS[task], CELLS[cell]), 30, 20
    tables = Retention(samples=size, test_samples=tested, stride=3, ridge=ridge).measure(subject)
    batches = [what.batch(SEEDS, "probe", number, n) for number, n in ((1, size), (2, tested))]
    latest = what.loss_steps[-1]
    for run, table in enumerate(tables):
        last = [what.answer_steps(batch, -1)[run].numpy() for batch in batches]
        states = [plain_states(CELLS[cell], subject.params, run, batch.inputs[:, run]) for batch in batches]
        items = [what.shown(batch) for batch in batches]
        expected = []
        for variable in CELLS[cell].state_names:
            # By lag, as the probe takes them: the size is that of the steps that are measured, 0 before the start.
            lags = [lag for lag in range(latest, -1, -1) if lag % 3 == 0]
            at = [
                np.stack([[s[a - lag, k] if a >= lag else 0 * s[0, k] for k, a in enumerate(ends)] for lag in lags])
                for s, ends in zip((s[variable] for s in states), last, strict=True)
            ]
            rms = np.sqrt(np.square(at[0]).mean())
            for j, lag in enumerate(lags):
                for train, test in zip(*items, strict=True):
                    since = [end - lag - i.steps[run].numpy() for i, end in zip((train, test), last, strict=True)]
                    masks = [s >= 0 for s in since]
                    if min(mask.sum() for mask in masks) < LEAST:
                        continue
                    x, x_test = (states_[j][mask] / rms for states_, mask in zip(at, masks, strict=True))
                    y = train.values[run].numpy()[masks[0]].astype(float)[:, None]
                    y = y if train.classes is None else (y == np.arange(train.classes)).astype(float)
                    weights, x_mean, mean = plain_fit(x, y, ridge)
                    score = plain_score(test, run, masks[1], (x_test - x_mean) @ weights + mean, mean)
                    row = (train.name, variable, latest - lag, lag, since[1][masks[1]].mean(), *score, masks[1].sum())
                    expected.append(row)
        assert len(expected) == len(table["t"]) > 0
        got = {row[:3]: row[3:] for row in zip(*table.values(), strict=True)}
        for row in expected:
            assert got[row[:3]] == pytest.approx(row[3:], rel=1e-6, abs=1e-6)


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["adding-hochreiter1997", "delay-echo"])
def test_looking_changes_nothing_and_companions_do_not_matter(cell: str, task: str) -> None:
    probe = Retention(samples=20, test_samples=10, stride=2)
    assert_looking_changes_nothing(probe, TASKS[task], CELLS[cell])
    assert_no_companion_matters(probe, TASKS[task], CELLS[cell])


@pytest.mark.parametrize("cell", [RNN(hidden_size=1), LSTM(hidden_size=1), RNN(hidden_size=32), LSTM(hidden_size=32)])
def test_companions_do_not_matter_where_matrices_are_vectors_nor_where_they_are_large(cell: Cell) -> None:
    assert_no_companion_matters(Retention(stride=4), Adding(gap=10), cell)


def test_the_order_of_hidden_units_does_not_matter() -> None:
    task, cell = Adding(gap=20), LSTM(hidden_size=4)
    params = parameters_of(cell, task)
    one, other = (retention(task, cell, p) for p in (params, permuted(cell, params, [2, 0, 3, 1])))
    for name in ("score", "chance", "error"):
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-7)  # as by the plain loop


@pytest.mark.parametrize("stride", [1, 3, 100])
def test_stride_leaves_the_last_answer_and_changes_no_score(stride: int) -> None:
    task, cell = TASKS["copy-gu2020"], CELLS["lstm"]
    fixed = {"ridge": 0.1, "samples": 20, "test_samples": 20}
    every, some = (retention(task, cell, parameters_of(cell, task), stride=s, **fixed) for s in (1, stride))
    assert {*some["lag"]} == {*range(0, 10, stride)}
    assert len(some["t"]) > 0
    at = {row[:4]: row[4:] for row in zip(*every.values(), strict=True)}
    for row in zip(*some.values(), strict=True):
        # The states' size, and with it the meaning of the strength, is that of the steps that are measured.
        assert row[4] == at[row[:4]][0]
        assert row[6] == at[row[:4]][2]


def test_states_beyond_float64_are_nan_and_no_error() -> None:
    table = retention(First(gap=400), *linear(torch.tensor([[1e3]]), torch.ones(1, 1)))
    assert len(table["t"]) == 400
    assert np.isnan(table["score"]).all()


@pytest.mark.parametrize("name", ["samples", "test_samples", "stride", "ridge"])
def test_options_out_of_bounds_are_named(name: str) -> None:
    with pytest.raises(OptionError, match="must be >") as caught:
        Retention(**{name: 0})
    assert caught.value.key == name
