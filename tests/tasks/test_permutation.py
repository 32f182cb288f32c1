from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.tasks import Permutation


@settings(max_examples=30)
@given(st.integers(2, 150), st.integers(3, 100), st.integers(0, 2**40))
def test_each_sample_by_its_definition(gap: int, symbols: int, seed: int) -> None:
    task = Permutation(gap=gap, symbols=symbols)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 3)
    assert batch.inputs.shape == (gap, 2, 3, symbols)
    assert torch.equal(batch.inputs.sum(-1), torch.ones(gap, 2, 3))
    codes = batch.inputs.argmax(-1)
    assert int(codes[0].max()) <= 1
    assert 2 <= int(codes[1:].min()) <= int(codes[1:].max()) < symbols
    assert torch.equal(batch.targets, codes[:1])
    assert (task.answer_steps(batch, 0) == gap - 1).all()
    assert task.smallest_lag == task.largest_lag == gap - 1
    (item,) = task.shown(batch)
    assert torch.equal(item.values, codes[0])
    assert not item.steps.any()


def test_symbols_are_uniform_and_independent() -> None:
    codes = Permutation(gap=4, symbols=6).batch(torch.tensor([3]), "test", 0, 9000).inputs[:, 0].argmax(-1)
    for one, other in ((0, 1), (1, 2), (2, 3)):
        kinds = codes[one] * 4 + codes[other] - 2
        counts = torch.bincount(kinds - int(kinds.min()), minlength=8 if one == 0 else 16)
        assert len(counts) == (8 if one == 0 else 16)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_chance_and_landmark_against_the_generator() -> None:
    task, size = Permutation(gap=30), 9000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    outputs = torch.full((1, 1, size, 100), -60.0)
    outputs[..., :2] = 0
    outputs[..., 1] += 1e-6  # always ahead
    metrics, chance = task.metrics(outputs, batch), task.chance()
    assert metrics["loss"].item() == pytest.approx(chance["loss"], rel=1e-5)
    assert chance == {"loss": math.log(2), "error_share": 0.5}
    assert abs(metrics["error_share"].item() - 0.5) < 4.5 * math.sqrt(0.25 / size)
    alike = task.metrics(torch.zeros_like(outputs), batch)["loss"].item()
    assert alike == pytest.approx(task.landmarks()["all symbols alike"], rel=1e-5)


def test_what_is_no_number_is_wrong() -> None:
    task = Permutation(gap=5)
    batch = task.batch(torch.tensor([1]), "eval", 0, 40)
    assert {0, 1} == set(batch.targets.flatten().tolist())
    metrics = task.metrics(torch.full((1, 1, 40, 100), torch.nan), batch)
    assert metrics["error_share"].item() == 1
    levels = {"error_share": torch.tensor([0.0, 0.0099, 0.01, torch.nan])}
    assert task.solved(levels).tolist() == [True, True, False, False]
