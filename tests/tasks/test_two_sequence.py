from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean, assert_share
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Batch, TwoSequence

CONVENTIONS = ("clean", "noisy_inputs", "noisy_targets")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


def target(task: TwoSequence, batch: Batch) -> Tensor:
    return task.at_answer(batch.targets, batch)[..., 0]


@settings(max_examples=30)
@given(st.sampled_from(["clean", "noisy_targets"]), st.integers(2, 60), st.integers(1, 4), st.integers(0, 2**40))
def test_each_sample_by_its_definition(convention: str, gap: int, informative: int, seed: int) -> None:
    if gap <= informative:
        return
    task = TwoSequence(gap=gap, convention=convention, informative=informative)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    last, answers = task.answer_steps(batch, -1), target(task, batch)
    for run in range(2):
        for sample in range(6):
            line, length = batch.inputs[:, run, sample, 0], int(last[run, sample]) + 1
            assert gap <= length <= gap + gap // 10
            shown = set(line[:informative].tolist())
            assert shown in ({1.0}, {-1.0})
            assert not shown & set(line[informative:].tolist())
            assert not line[length:].any()
            assert bool(task.is_second(batch)[run, sample]) == (shown == {-1.0})
            if convention == "clean":
                assert float(answers[run, sample]) == (1 if shown == {1.0} else 0)
            assert task.smallest_lag <= length - informative  # the last informative step is informative - 1
            assert length - 1 <= task.largest_lag


@every_convention
def test_noise_has_the_papers_variance(convention: str) -> None:
    task = TwoSequence(gap=40, convention=convention)
    batch = task.batch(torch.tensor([7]), "test", 0, 4000)
    noise = batch.inputs[3:40, 0, :, 0].flatten()
    assert_mean(noise, 0)
    assert_mean(noise.square(), 0.2)
    assert stats.kstest(noise[:5000].numpy() / 0.2**0.5, "norm").pvalue > 1e-5
    is_second = task.is_second(batch)[0]
    off = batch.inputs[:3, 0, :, 0] - torch.where(is_second, -1.0, 1.0)
    if convention == "noisy_inputs":
        assert_mean(off, 0)
        assert_mean(off.square(), 0.2)
    else:
        assert not off.any()
    off = target(task, batch)[0] - (
        torch.where(is_second, 0.8, 0.2) if convention == "noisy_targets" else ~is_second * 1.0
    )
    if convention == "noisy_targets":
        assert_mean(off, 0)
        assert_mean(off.square(), 0.1)
    else:
        assert not off.any()


def test_lengths_are_uniform_and_classes_equally_likely() -> None:
    task = TwoSequence(gap=50)
    batch = task.batch(torch.tensor([1]), "test", 0, 6000)
    counts = torch.bincount(task.answer_steps(batch, 0)[0] - 49, minlength=6)
    assert len(counts) == 6
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5
    assert_share(float(task.is_second(batch).float().mean()), 0.5, 6000)


@every_convention
def test_chance_and_landmark_against_the_generator(convention: str) -> None:
    task, size = TwoSequence(gap=20, convention=convention), 20_000
    batch = task.batch(torch.tensor([4]), "test", 0, size)
    chance, answers = task.chance(), target(task, batch)
    assert chance["loss"] == pytest.approx(0.19 if convention == "noisy_targets" else 0.25)
    assert_mean((answers - 0.5).square(), chance["loss"])
    middle = task.metrics(torch.zeros_like(batch.targets), batch)  # says 1/2
    assert middle["mean_absolute_error"].item() == pytest.approx(chance["mean_absolute_error"], rel=1e-4)
    one_class = torch.full_like(batch.targets, 0.2 if convention == "noisy_targets" else 1e-6)
    assert_share(task.metrics(torch.logit(one_class), batch)["error_share"].item(), chance["error_share"], size)
    if convention == "noisy_targets":
        known = torch.where(task.is_second(batch), 0.8, 0.2)
        assert_mean((answers - known).square(), task.landmarks()["class known"])
    else:
        assert task.landmarks() == {}


@pytest.mark.parametrize(
    ("convention", "wrong", "right"),
    [("clean", 0.201, 0.199), ("noisy_inputs", 0.201, 0.199), ("noisy_targets", 0.101, 0.099)],
)
def test_metrics_by_hand(convention: str, wrong: float, right: float) -> None:
    task = TwoSequence(gap=40, convention=convention)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    low, high = (0.2, 0.8) if convention == "noisy_targets" else (1.0, 0.0)
    noise_free = torch.where(task.is_second(batch), high, low)
    said = noise_free + torch.tensor([wrong, right, right, right]) * torch.where(noise_free > 0.5, -1, 1)
    outputs = torch.logit(said)[None, ..., None].expand_as(batch.targets).clone()
    assert batch.weights is not None
    outputs[batch.weights == 0] = 7.0  # what is said on padding does not count
    metrics = task.metrics(outputs, batch)
    assert metrics["error_share"].item() == 0.25
    assert metrics["mean_absolute_error"].item() == pytest.approx((wrong + 3 * right) / 4, rel=1e-4)
    expected = (target(task, batch) - said).square().mean()
    assert metrics["loss"].item() == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("convention", "solved"),
    [
        ("clean", [True, False, False, False]),
        ("noisy_inputs", [True, True, True, False]),
        ("noisy_targets", [True, True, False, False]),
    ],
)
def test_solved(convention: str, solved: list[bool]) -> None:
    errors = torch.tensor([0.009, 0.0149, 0.039, 0.041])
    task = TwoSequence(convention=convention)
    assert task.solved({"error_share": torch.zeros(4), "mean_absolute_error": errors}).tolist() == solved
    some = {"error_share": torch.tensor([5, 6]) / 256, "mean_absolute_error": torch.full((2,), 0.001)}
    assert task.solved(some).tolist() == ([True, False] if convention == "noisy_inputs" else [False, False])


def test_an_input_that_is_not_informative_must_be_left() -> None:
    with pytest.raises(OptionError, match="must be > 3") as caught:
        TwoSequence(gap=3)
    assert caught.value.key == "gap"
    assert TwoSequence(gap=4).smallest_lag == 1


def test_the_class_is_shown_in_full_with_the_last_informative_input() -> None:
    task = TwoSequence(gap=30, convention="noisy_inputs")
    batch = task.batch(torch.tensor([5]), "probe", 0, 8)
    (item,) = task.shown(batch)
    assert item.classes == 2
    assert set(item.steps.flatten().tolist()) == {2}
    assert torch.equal(item.values, 1 - target(task, batch).long())
