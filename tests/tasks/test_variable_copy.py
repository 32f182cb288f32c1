from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.shapes import Tensor
from lrd.tasks import Batch, Copy, VariableCopy


def own_gaps(task: VariableCopy, batch: Batch) -> Tensor:
    """The gap of each sample [runs, batch], from where its recall ends."""
    assert batch.weights is not None
    return batch.weights.sum(0).long() - 2 * task.items


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(2, 9), st.integers(0, 1), st.integers(0, 2**40))
def test_each_sample_is_a_copy_of_its_own_gap_and_then_nothing(
    gap: int, items: int, symbols: int, least: int, seed: int
) -> None:
    task = VariableCopy(gap=gap, items=items, symbols=symbols, least_blanks=least)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 4)
    assert batch.weights is not None
    gaps = own_gaps(task, batch)
    for run in range(2):
        for sample in range(4):
            g = int(gaps[run, sample])
            assert 1 + least <= g <= gap + least
            length, lag = g + 2 * items, g + items
            assert task.smallest_lag <= lag <= task.largest_lag
            assert batch.weights[:, run, sample].tolist() == [1.0] * length + [0.0] * (gap + least - g)
            inputs, targets = batch.inputs[:, run, sample], batch.targets[:, run, sample]
            assert not inputs[length:].any()
            assert torch.equal(inputs[:length].sum(1), torch.ones(length))
            codes = inputs[:length].argmax(1).tolist()
            assert all(1 <= code <= symbols for code in codes[:items])
            assert codes[items:] == [0] * (g - 1) + [symbols + 1] + [0] * items
            assert targets.tolist() == [0] * lag + codes[:items] + [0] * (gap + least - g)
            for answer in range(-items, items):
                step = int(task.answer_steps(batch, answer)[run, sample])
                assert step == lag + answer % items
                assert int(targets[step]) == codes[answer % items]
    for k, item in enumerate(task.shown(batch)):
        assert torch.equal(item.values + 1, batch.inputs[k].argmax(-1))
        assert (item.steps == k).all()


def test_the_longest_sample_is_that_of_copy() -> None:
    task, same = VariableCopy(gap=7, items=3), Copy(gap=7, items=3)
    batch = task.batch(torch.tensor([1]), "train", 0, 60)
    longest = (own_gaps(task, batch)[0] == 7).nonzero()[:, 0]
    assert len(longest) > 0
    cue = batch.inputs[:, 0, longest, -1].nonzero()[:, 0].unique().tolist()
    assert cue == list(same.cue_steps)
    for name in ("sequence_length", "largest_lag", "loss_steps", "input_size", "output_size", "answers"):
        assert getattr(task, name) == getattr(same, name)
    assert (VariableCopy(gap=1).smallest_lag, VariableCopy(gap=1).largest_lag) == (11, 11)


def test_word_for_word_there_are_1_to_gap_blanks_before_the_cue() -> None:
    batch = VariableCopy(gap=5, items=2, least_blanks=1).batch(torch.tensor([1]), "train", 0, 200)
    blanks = batch.inputs[..., -1].argmax(0) - 2
    assert blanks.unique().tolist() == [1, 2, 3, 4, 5]


def test_gaps_and_items_are_uniform_and_independent() -> None:
    task = VariableCopy(gap=5, items=2, symbols=3)
    batch = task.batch(torch.tensor([3, 4]), "test", 0, 9000)
    assert not torch.equal(own_gaps(task, batch)[0], own_gaps(task, batch)[1])
    first, second = batch.inputs[:2, 0].argmax(-1) - 1
    kind = ((own_gaps(task, batch)[0] - 1) * 3 + first) * 3 + second
    counts = torch.bincount(kind, minlength=45)
    assert len(counts) == 45
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_chance_against_the_generator() -> None:
    task, size = VariableCopy(gap=6, items=2, symbols=3), 9000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    gaps = own_gaps(task, batch)[0]
    outputs = torch.full((task.sequence_length, 1, size, 4), -60.0)
    outputs[..., 0] = 0  # blank with certainty,
    for k in range(2):  # then uniform over the symbols, with one of them always ahead
        outputs[gaps + 2 + k, 0, torch.arange(size)] = torch.tensor([-60.0, 0.0, 1e-6, 0.0])
    metrics, chance = task.metrics(outputs, batch), task.chance()
    per_sample = 2 * math.log(3) / (gaps + 4).double()
    assert abs(metrics["loss"].item() - chance["loss"]) < 4.5 * float(per_sample.std()) / math.sqrt(size)
    assert metrics["loss"].item() == pytest.approx(float(per_sample.mean()), rel=1e-5)
    assert metrics["recall_loss"].item() == pytest.approx(chance["recall_loss"], rel=1e-5)
    for key, draws in (("recall_accuracy", 2 * size), ("sequence_accuracy", size)):
        share = chance[key]
        assert abs(metrics[key].item() - share) < 4.5 * math.sqrt(share * (1 - share) / draws), key


def test_chance_in_closed_form() -> None:
    assert VariableCopy(gap=1).chance()["loss"] == pytest.approx(Copy(gap=1).chance()["loss"])
    expected = sum(Copy(gap=g, items=2).chance()["loss"] for g in (1, 2, 3)) / 3
    assert VariableCopy(gap=3, items=2).chance()["loss"] == pytest.approx(expected)
    assert VariableCopy(gap=1, items=2, least_blanks=1).chance()["loss"] == pytest.approx(
        Copy(gap=2, items=2).chance()["loss"]
    )


def test_metrics_by_hand() -> None:
    task = VariableCopy(gap=4, items=5)
    batch = task.batch(torch.tensor([0, 1, 2]), "eval", 0, 4)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, task.output_size).float()
    last = task.answer_steps(batch, -1)
    outputs[last[1, 0], 1, 0] = outputs[last[1, 0], 1, 0].roll(1)  # run 1 misses one item of 20,
    outputs[:, 2] = 0
    outputs[:, 2, :, 0] = 40  # run 2 says blank throughout
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["recall_accuracy"], torch.tensor([1.0, 0.95, 0.0]))
    torch.testing.assert_close(metrics["sequence_accuracy"], torch.tensor([1.0, 0.75, 0.0]))
    torch.testing.assert_close(metrics["recall_loss"], torch.tensor([0.0, 2.0, 40.0]))
    lengths = own_gaps(task, batch) + 10
    expected = [0.0, 40 / 4 / float(lengths[1, 0]), float((200 / lengths[2]).mean())]
    torch.testing.assert_close(metrics["loss"], torch.tensor(expected))
    assert task.solved(metrics).tolist() == [True, False, False]


def test_loss_and_metrics_of_a_run_are_its_own_whatever_the_pack() -> None:
    """Each sample's own steps are summed, in an order that may not depend on where in the pack it stands."""
    task, seeds = VariableCopy(gap=22), torch.arange(33)
    batch = task.batch(seeds, "eval", 0, 16)
    outputs = torch.randn(42, 33, 16, 9, generator=torch.Generator().manual_seed(1))
    together = task.metrics(outputs, batch) | {"training loss": task.loss(outputs, batch)}
    for run in range(33):
        alone, mine = batch.of_runs(slice(run, run + 1)), outputs[:, run : run + 1].clone()
        for name, value in (task.metrics(mine, alone) | {"training loss": task.loss(mine, alone)}).items():
            assert torch.equal(value[0], together[name][run]), name


def test_quiet_steps_are_in_every_sample() -> None:
    task = VariableCopy(gap=7, items=3)
    assert task.quiet_steps == range(6, 12)
    assert VariableCopy(gap=1, items=3).quiet_steps == range(6)
