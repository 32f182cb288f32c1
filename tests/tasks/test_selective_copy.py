from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.tasks import SelectiveCopy


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(2, 9), st.integers(0, 2**40))
def test_each_sample_by_its_definition(gap: int, items: int, symbols: int, seed: int) -> None:
    task = SelectiveCopy(gap=gap, items=items, symbols=symbols)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 4)
    assert batch.weights is None
    assert torch.equal(batch.inputs.sum(-1), torch.ones(gap + 2 * items, 2, 4))
    codes, shown = batch.inputs.argmax(-1), task.shown(batch)
    assert (codes[gap + items :] == symbols + 1).all()
    for run in range(2):
        for sample in range(4):
            before = codes[: gap + items, run, sample].tolist()
            places = [step for step, code in enumerate(before) if code != 0]
            asked = batch.targets[:, run, sample].tolist()
            assert [before[place] for place in places] == asked
            assert all(1 <= code <= symbols for code in asked)
            for k, (place, item) in enumerate(zip(places, shown, strict=True)):
                assert int(item.steps[run, sample]) == place
                assert int(item.values[run, sample]) == asked[k] - 1
                lag = int(task.answer_steps(batch, k)[run, sample]) - place
                assert task.smallest_lag <= lag <= task.largest_lag


def test_lags_reach_both_ends() -> None:
    task = SelectiveCopy(gap=3, items=2)
    assert (task.smallest_lag, task.largest_lag) == (2, 5)
    batch = task.batch(torch.tensor([0]), "train", 0, 300)
    lags = [task.answer_steps(batch, k) - item.steps for k, item in enumerate(task.shown(batch))]
    assert all((int(lag.min()), int(lag.max())) == (2, 5) for lag in lags)


def test_every_choice_of_places_is_as_likely_and_symbols_do_not_depend_on_it() -> None:
    task = SelectiveCopy(gap=3, items=2, symbols=2)
    batch = task.batch(torch.tensor([3]), "test", 0, 8000)
    first, second = (item.steps[0] for item in task.shown(batch))
    symbols = batch.targets[0, 0] * 2 + batch.targets[1, 0]
    kinds = [(a, b, s) for a, b in itertools.combinations(range(5), 2) for s in (3, 4, 5, 6)]
    counts = [int(((first == a) & (second == b) & (symbols == s)).sum()) for a, b, s in kinds]
    assert sum(counts) == 8000
    assert stats.chisquare(counts).pvalue > 1e-5


def test_the_sizes_of_the_paper() -> None:
    task = SelectiveCopy(gap=4080, items=16, symbols=14)
    assert (task.loss_steps, task.input_size, task.output_size) == (range(4096, 4112), 16, 16)


def test_chance_against_the_generator() -> None:
    task, size = SelectiveCopy(gap=5, items=2, symbols=3), 9000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    outputs = torch.full((2, 1, size, 5), -60.0)
    outputs[..., 1:4] = 0  # uniform over the symbols,
    outputs[..., 2] += 1e-6  # with one of them always ahead
    metrics, chance = task.metrics(outputs, batch), task.chance()
    assert chance["loss"] == chance["recall_loss"] == math.log(3)
    assert metrics["loss"].item() == pytest.approx(math.log(3), rel=1e-5)
    for key, draws in (("recall_accuracy", 2 * size), ("sequence_accuracy", size)):
        share = chance[key]
        assert abs(metrics[key].item() - share) < 4.5 * math.sqrt(share * (1 - share) / draws), key
