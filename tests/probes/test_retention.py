"""Retention against a plain numpy loop, and where it is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import random_parameters
from looks import (
    CELLS,
    SEEDS,
    TASKS,
    assert_looking_changes_nothing,
    assert_no_companion_matters,
    linear,
    parameters_of,
    permuted,
    plain_fit,
    plain_states,
    subject_of,
)

from lrd.cells import LSTM, RNN, Cell, Parameters
from lrd.options import OptionError, option
from lrd.probes.base import Columns
from lrd.probes.retention import LEAST, Retention
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Copy, Item, Task


def rows(table: Columns, item: str, variable: str = "h") -> Columns:
    mine = (table["item"] == item) & (table["variable"] == variable)
    return {name: column[mine] for name, column in table.items()}


def retention(task: Task, cell: Cell, params: Parameters, **options: float) -> Columns:
    return Retention(**{"stride": 1, **options}).measure(subject_of(task, cell, params))[0]


# -- every number by a plain loop --------------------------------------------------------------------------------------


def plain_score(item: Item, run: int, mask: np.ndarray, outputs: np.ndarray, mean: np.ndarray) -> tuple[float, ...]:
    truth = item.values[run].numpy()[mask]
    if item.classes is not None:
        right = outputs.argmax(1) == truth
        return right.mean(), (truth == mean.argmax()).mean(), right.std(ddof=1) / math.sqrt(len(right))
    errors, spread = np.square(outputs[:, 0] - truth), np.square(mean[0] - truth)
    ratio = errors.mean() / spread.mean()
    return 1 - ratio, 0.0, np.std(errors - ratio * spread, ddof=1) / spread.mean() / math.sqrt(len(truth))


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
            # By lag, as the probe takes them: the size is that of the steps that are looked at, 0 before the start.
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


# -- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("g", [1.0, 0.9])
def test_an_orthogonal_network_keeps_everything(g: float) -> None:
    """Two items of three symbols take four directions out of eight; g^12 = .28 is far above the floor of 1e-3."""
    task, generator = Copy(gap=10, items=2, symbols=3), torch.Generator().manual_seed(1)
    q = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    table = retention(task, *linear(g * q, torch.randn(8, 5, generator=generator)))
    for k in (1, 2):
        item = rows(table, f"item {k}")
        assert item["t"].tolist() == list(range(k - 1, 14))
        assert (item["score"] == 1).all()
        assert (item["error"] == 0).all()
        np.testing.assert_array_equal(item["since"], item["t"] - (k - 1))


def register(blocks: int, symbols: int) -> tuple[RNN, Parameters]:
    """A shift register: a one-hot symbol enters the first block and moves on by one block a step, then out."""
    n = blocks * symbols
    u = torch.zeros(n, symbols + 2)
    u[:symbols, 1 : symbols + 1] = torch.eye(symbols)
    return linear(torch.diag(torch.ones(n - symbols), -symbols), u)


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_a_shift_register_keeps_an_item_for_exactly_as_many_steps_as_it_has_places(blocks: int) -> None:
    task = Copy(gap=8, items=1, symbols=4)
    item = rows(retention(task, *register(blocks, 4)), "item 1")
    held = item["since"] < blocks
    assert held.sum() == blocks
    assert (item["score"][held] == 1).all()
    assert (item["score"][~held] == item["chance"][~held]).all()  # the states are 0: exactly what a constant scores
    assert (item["chance"] < 0.5).all()


def test_what_has_left_the_register_cannot_be_read_from_what_follows_it() -> None:
    task, n = Copy(gap=8, items=4, symbols=4), 1000
    table = retention(task, *register(2, 4), test_samples=n)
    for k in range(1, 5):
        item = rows(table, f"item {k}")
        assert (item["score"][item["since"] < 2] == 1).all()
        gone = item["score"][item["since"] >= 2]
        # Whatever is answered, it is right with probability 1/4, independently in each of the test sequences.
        assert np.abs(gone - 0.25).max() < 4.5 * math.sqrt(0.25 * 0.75 / n)


def test_an_untrained_tanh_network_forgets_and_an_open_lstm_does_not() -> None:
    """With singular values of .5 a difference of states is 1e-12 of itself after 40 steps, far below the floor."""
    task = Copy(gap=40, items=1, symbols=4)
    generator = torch.Generator().manual_seed(0)
    small = RNN(hidden_size=12, init="orthogonal", gain=0.5)
    large = LSTM(hidden_size=12, forget_bias=6.0)
    scores = {}
    for cell in (small, large):
        params = {name: p[None] for name, p in cell.parameters(task.input_size, generator).items()}
        scores[cell.name] = rows(retention(task, cell, params), "item 1", cell.state_names[-1])
    rnn, lstm = scores["rnn"], scores["lstm"]
    assert rnn["score"][0] == lstm["score"][0] == 1
    assert (rnn["score"][-1], rnn["error"][-1]) == (rnn["chance"][-1], pytest.approx(math.sqrt(3 / 16 / 256), rel=0.1))
    assert lstm["score"].min() == 1


@dataclass(frozen=True)
class First(Task):
    """A normal number at each of ``gap`` steps; the first one is asked for at the end."""

    gap: int = option(8, "steps", ge=1)
    noise: float = option(1.0, "standard deviation of all later numbers")
    name, classification, criterion = "first", False, "none"
    answers = input_size = output_size = 1

    @property
    def sequence_length(self) -> int:
        return self.gap

    @property
    def smallest_lag(self) -> int:
        return self.gap - 1

    largest_lag = smallest_lag

    @property
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.gap)

    def draw(self, stream: object, batch_size: int) -> Batch:
        values = stream.normal(self.gap, batch_size, 1).transpose(0, 1)
        values[1:] *= self.noise
        return Batch(values, values[:1].clone())

    def metrics(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, batch)}

    def chance(self) -> dict[str, float]:
        return {"loss": 1.0}

    def solved(self, metrics: Mapping[str, Tensor]) -> Tensor:
        return metrics["loss"] < 0


@pytest.mark.parametrize("decay", [0.3, 0.8, 1.0, 1.1])
def test_one_unit_among_distractors_in_closed_form(decay: float) -> None:
    """h_t = sum of lambda^(t-s) u_s: R^2 of u_0 is lambda^2t over the sum of lambda^2j for j = 0..t.

    A task that says nothing about what it shows. One fitted weight of 2,000 samples costs 1/2000 of R^2.
    """
    (table,) = Retention(stride=1, samples=2000, test_samples=2000).measure(
        subject_of(First(), *linear(torch.tensor([[decay]]), torch.ones(1, 1)))
    )
    assert {*table["item"]} == {"answer 1"}
    t = np.arange(8)
    expected = decay ** (2 * t) / np.array([sum(decay ** (2 * j) for j in range(k + 1)) for k in t])
    assert np.abs(table["score"][0] - 1) < 1e-9
    assert (np.abs(table["score"] - expected)[1:] < 4.5 * table["error"][1:] + 2 / 2000).all()
    assert (table["error"] < 0.03).all()
    assert (table["chance"] == 0).all()


def test_what_has_shrunk_to_a_thousandth_of_the_states_is_no_longer_readable() -> None:
    """h_t = .25^t u with nothing after it: with e = var(h_t) / mean square of all h, R^2 = 1 - (s / (e + s))^2 exactly,
    for the least strength s = 1e-6: everything at a hundredth, little at a ten-thousandth, whatever the precision."""
    task, samples = First(noise=0.0), 50
    table = retention(task, *linear(torch.tensor([[0.25]]), torch.ones(1, 1)), samples=samples)
    h = 0.25 ** np.arange(8)[:, None] * task.batch(SEEDS[:1], "probe", 1, samples).inputs[0, 0, :, 0].double().numpy()
    e = h.var(1) / np.square(h).mean()
    np.testing.assert_allclose(table["score"], 1 - (1e-6 / (e + 1e-6)) ** 2, rtol=0, atol=1e-10)
    assert table["score"][3] > 0.99 > 0.1 > table["score"][7]


@dataclass(frozen=True)
class Shuffled(Copy):
    """Tells that each sequence showed what another one did."""

    def shown(self, batch: Batch) -> list[Item]:
        return [Item(i.name, i.values.roll(1, -1), i.steps, i.classes) for i in super().shown(batch)]


@pytest.mark.parametrize("samples", [40, 400])
@pytest.mark.parametrize("ridge", [None, 1e-6])
def test_shuffled_labels_leave_chance(samples: int, ridge: float | None) -> None:
    """Nothing of the test sequences is in the fit, not even where it interpolates (40 sequences, 64 units)."""
    kept, n = {}, 1000
    cell = RNN(hidden_size=64)
    for kind in (Copy, Shuffled):
        task = kind(gap=3, items=3, symbols=4)
        params = random_parameters(cell, task.input_size, 1, task.output_size, scale=0.7)
        kept[kind] = retention(task, cell, params, samples=samples, test_samples=n, ridge=ridge)["score"]
    assert kept[Copy].max() == 1
    assert np.abs(kept[Shuffled] - 0.25).max() < 4.5 * math.sqrt(0.25 * 0.75 / n)


# -- what must not matter ----------------------------------------------------------------------------------------------


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
        # The states' size, and with it the meaning of the strength, is that of the steps that are looked at.
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
