"""Retention where it is known in closed form, and where nothing can be known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import random_parameters
from subjects import SEEDS, First, linear, retention, rows, subject_of

from lrd.cells import LSTM, RNN, Parameters
from lrd.probes.retention import Retention
from lrd.tasks import Batch, Copy, Item


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
    """Says that each sequence showed what another one did."""

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
