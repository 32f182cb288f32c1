from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean, assert_share
from scipy import stats

from lrd.shapes import Tensor
from lrd.tasks import LongLag
from lrd.tasks.long_lag import MORE

CONVENTIONS = ("noise_free", "random_middle", "very_long")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


def symbols_of(one_hot: Tensor) -> list[int]:
    assert (one_hot.sum(-1) == 1).all()
    assert one_hot.amax() == 1
    return one_hot.argmax(-1).tolist()


@settings(max_examples=40)
@given(st.sampled_from(["noise_free", "random_middle"]), st.integers(2, 40), st.integers(0, 2**40))
def test_sequences_of_p_plus_one_symbols(convention: str, gap: int, seed: int) -> None:
    task = LongLag(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    x, y = gap - 1, gap
    assert task.input_size == task.output_size == gap + 1
    assert batch.weights is None
    for run in range(2):
        for sample in range(6):
            shown = symbols_of(batch.inputs[:, run, sample])
            next_ones = symbols_of(batch.targets[:, run, sample])
            assert len(shown) == gap
            assert shown[1:] == next_ones[:-1]
            assert shown[0] == next_ones[-1]
            assert shown[0] in (x, y)
            if convention == "noise_free":
                assert shown[1:] == list(range(gap - 1))
            assert not {x, y} & set(shown[1:])
    assert task.smallest_lag == task.largest_lag == gap - 1


@settings(max_examples=40)
@given(st.integers(2, 40), st.sampled_from([None, 1, 7]), st.integers(0, 2**40))
def test_sequences_with_a_trigger(gap: int, distractors: int | None, seed: int) -> None:
    task = LongLag(gap=gap, convention="very_long", distractors=distractors)
    kinds = distractors or gap
    x, y, b, e = range(kinds, kinds + 4)
    assert (task.input_size, task.output_size) == (kinds + 4, 2)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    last = task.answer_steps(batch, 0)
    for run in range(2):
        for sample in range(6):
            end = int(last[run, sample])
            assert not batch.inputs[end + 1 :, run, sample].any()
            shown = symbols_of(batch.inputs[: end + 1, run, sample])
            assert (shown[0], shown[-1]) == (b, e)
            assert shown[1] in (x, y)
            assert all(symbol < kinds for symbol in shown[2:-1])
            assert gap <= len(shown[2:-1]) <= gap + MORE
            target = batch.targets[end - task.loss_steps.start, run, sample].tolist()
            assert target == ([1, 0] if shown[1] == x else [0, 1])
            assert task.smallest_lag <= end - 1 <= task.largest_lag
    assert task.smallest_lag == gap + 1  # the paper's q + 1


def test_random_parts_are_uniform_and_the_suffix_geometric() -> None:
    task = LongLag(gap=12, convention="random_middle")
    inputs = task.batch(torch.tensor([8]), "test", 0, 5000).inputs
    assert stats.chisquare(inputs[1:, 0, :, :11].sum((0, 1)).numpy()).pvalue > 1e-5
    assert_share(float(inputs[0, 0, :, 12].mean()), 0.5, 5000)
    task = LongLag(gap=12, convention="very_long")
    batch = task.batch(torch.tensor([8]), "test", 0, 20_000)
    assert stats.chisquare(batch.inputs[2:14, 0, :, :12].sum((0, 1)).numpy()).pvalue > 1e-5
    assert_share(float(batch.inputs[1, 0, :, 13].mean()), 0.5, 20_000)
    more = torch.bincount(task.answer_steps(batch, 0)[0] - 14, minlength=MORE + 1)
    assert len(more) == MORE + 1
    expected = torch.tensor([0.1 * 0.9**k for k in range(MORE + 1)], dtype=torch.float64)
    expected *= 20_000 / expected.sum()
    few = 40  # up to here at least 29 are expected
    counts = [*more[:few].tolist(), int(more[few:].sum())]
    assert stats.chisquare(counts, [*expected[:few].tolist(), float(expected[few:].sum())]).pvalue > 1e-5


def without_memory(task: LongLag, inputs: Tensor) -> Tensor:
    """The probabilities of the next symbol, counted by hand, for someone who sees the present one."""
    steps, n = len(task.loss_steps), task.gap - 1
    if task.convention == "very_long":
        return torch.full((steps, *inputs.shape[1:3], 2), 0.5)
    said = torch.zeros(inputs.shape)
    is_a = inputs[..., :n].sum(-1, keepdim=True) == 1
    if task.convention == "noise_free":
        said[..., 1:n] = inputs[..., : n - 1]
        said[..., 0] = ~is_a[..., 0]
        said[..., n:] = inputs[..., n - 1 : n] / 2
        return said
    said[..., :n] = torch.where(is_a, (n - 1) / n / n, 1 / n)
    said[..., n:] = torch.where(is_a, 1 / n / 2, 0)
    return said


@every_convention
@pytest.mark.parametrize("gap", [2, 3, 12])
def test_chance_against_the_generator(convention: str, gap: int) -> None:
    task, size = LongLag(gap=gap, convention=convention), 10_000
    batch = task.batch(torch.tensor([4]), "test", 0, size)
    said, chance = without_memory(task, batch.inputs), task.chance()
    assert said.sum(-1).sub(1).abs().max() < 1e-6
    off = (said - batch.targets).square().mean(-1)
    per_sample = task.at_answer(off, batch) if convention == "very_long" else off.mean(0)
    assert_mean(per_sample, chance["loss"])
    # Always x at the end.
    said[..., -2], said[..., -1] = torch.where(said[..., -1] > 0, 1, said[..., -2]), 0
    if convention == "random_middle":
        said[-1, ..., :-2] = 0
    metrics = task.metrics(torch.logit(said, eps=1e-6), batch)
    assert_share(metrics["accuracy"].item(), chance["accuracy"], size)
    assert_share(metrics["error_share"].item(), chance["error_share"], size)


def test_counting_in_the_random_middle_is_a_landmark() -> None:
    task = LongLag(gap=9, convention="random_middle")
    batch = task.batch(torch.tensor([4]), "test", 0, 5000)
    said = batch.targets.clone()
    said[:-1] = 0
    said[:-1, ..., :8] = 1 / 8
    level = task.landmarks()["all but the middle known"]
    assert task.loss(torch.logit(said, eps=1e-7), batch).item() == pytest.approx(level, rel=1e-5)
    assert level < task.chance()["loss"]
    assert LongLag(gap=9).landmarks() == {}


@every_convention
def test_metrics_by_hand(convention: str) -> None:
    """Errors at the first step, at the last, and just allowed; the wrong one of x and y the larger."""
    task = LongLag(gap=6, convention=convention)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    wrong_from = 0.2 if convention == "very_long" else 0.25
    said = batch.targets.clone()
    end = task.answer_steps(batch, 0)[0] - task.loss_steps.start
    said[0, 0, 0, 0] = 0.5
    said[end[1], 0, 1, -1] = (said[end[1], 0, 1, -1] - wrong_from - 0.001).abs()
    said[end[2], 0, 2, -1] = (said[end[2], 0, 2, -1] - wrong_from + 0.001).abs()
    said[end[3], 0, 3, -2:] = 1 - said[end[3], 0, 3, -2:]
    metrics = task.metrics(torch.logit(said, eps=1e-6), batch)
    first_counts = convention == "noise_free" or (convention == "very_long" and int(end[0]) == 0)
    assert metrics["error_share"].item() == (0.75 if first_counts else 0.5)
    assert metrics["accuracy"].item() == 0.75


def test_solved_without_any_error() -> None:
    metrics = {"error_share": torch.tensor([0.0, 0.0001, torch.nan])}
    for convention in CONVENTIONS:
        assert LongLag(convention=convention).solved(metrics).tolist() == [True, False, False]


@every_convention
def test_shown(convention: str) -> None:
    task = LongLag(gap=10, convention=convention)
    batch = task.batch(torch.tensor([5]), "probe", 0, 8)
    (item,) = task.shown(batch)
    at_end = task.at_answer(batch.targets, batch)[..., -1]
    assert torch.equal(item.values, at_end.long())
    assert set(item.steps.flatten().tolist()) == {1 if convention == "very_long" else 0}
