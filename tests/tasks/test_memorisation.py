from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from lrd.tasks import Memorisation

SIZES = {"5bit": (5, 2), "20bit": (10, 5)}
every_convention = pytest.mark.parametrize("convention", SIZES)


@every_convention
def test_by_its_definition(convention: str) -> None:
    (items, symbols), gap = SIZES[convention], 7
    task = Memorisation(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([1, 2]), "train", 0, 20)
    filler, trigger = 0, symbols + 1
    assert batch.inputs.shape == (gap + 2 * items, 2, 20, symbols + 2)
    assert torch.equal(batch.inputs.sum(-1), torch.ones(batch.inputs.shape[:3]))
    codes = batch.inputs.argmax(-1)
    shown = codes[:items]
    assert shown.unique().tolist() == list(range(1, symbols + 1))
    behind = torch.full((gap + items,), filler)
    behind[gap] = trigger
    assert torch.equal(codes[items:], behind[:, None, None].expand(-1, 2, 20))
    assert not batch.targets[: gap + items].any()
    assert torch.equal(batch.targets[gap + items :], shown)
    assert batch.weights is None
    assert (task.output_size, task.loss_steps) == (symbols + 1, range(gap + 2 * items))
    assert (task.smallest_lag, task.largest_lag) == (gap + items, gap + items)


def test_all_32_lists_of_five_bits_are_as_likely() -> None:
    batch = Memorisation(gap=1).batch(torch.tensor([3]), "test", 0, 8000)
    lists = ((batch.targets[-5:, 0] - 1) * 2 ** torch.arange(5)[:, None]).sum(0)
    counts = torch.bincount(lists, minlength=32)
    assert len(counts) == 32
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5


@pytest.mark.parametrize(("convention", "gap", "published"), [("5bit", 200, 2.5), ("20bit", 80, 8.0)])
def test_biases_alone_reach_the_published_level(convention: str, gap: int, published: float) -> None:
    """Sutskever et al. 2013, table 5: "biases only", here by any guess that does not look."""
    (items, symbols), size = SIZES[convention], 4000
    task = Memorisation(gap=gap, convention=convention)
    chance = task.chance()
    assert chance["wrong_symbols"] == pytest.approx(published, rel=1e-12)
    assert chance["loss"] == pytest.approx(items * math.log(symbols) / (gap + 2 * items))
    short = Memorisation(gap=3, convention=convention)
    batch = short.batch(torch.tensor([8]), "test", 0, size)
    outputs = torch.full((short.sequence_length, 1, size, symbols + 1), -60.0)
    outputs[:-items, ..., 0] = 0
    outputs[-items:, ..., 1:] = 0
    outputs[-items:, ..., 2] += 1e-6
    metrics = short.metrics(outputs, batch)
    assert metrics["loss"].item() == pytest.approx(short.chance()["loss"], rel=1e-5)
    share = 1 - 1 / symbols
    error = math.sqrt(items * share * (1 - share) / size)
    assert abs(metrics["wrong_symbols"].item() - published) < 4.5 * error
    right = chance["sequence_accuracy"]
    assert abs(metrics["sequence_accuracy"].item() - right) <= 4.5 * math.sqrt(right / size)


def test_one_wrong_symbol_makes_a_sequence_wrong() -> None:
    task = Memorisation(gap=2)
    batch = task.batch(torch.tensor([0, 1]), "eval", 0, 4)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, 3).float()
    outputs[-1, 1, 0] = outputs[-1, 1, 0].roll(1)
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["wrong_symbols"], torch.tensor([0.0, 0.25]))
    assert metrics["sequence_accuracy"].tolist() == [1.0, 0.75]
    levels = {"sequence_accuracy": torch.tensor([0.99, 0.9901, torch.nan])}
    assert task.solved(levels).tolist() == [False, True, False]
