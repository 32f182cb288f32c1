from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.options import OptionError
from lrd.tasks import Delay

NOISE = ("gu2022", "voelker2019")
every_noise = pytest.mark.parametrize("convention", NOISE)


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(2, 10), st.integers(0, 2**40))
def test_echo_asks_for_what_was_seen_a_gap_ago(gap: int, tokens: int, alphabet: int, seed: int) -> None:
    task = Delay(gap=gap, tokens=tokens, alphabet=alphabet)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 3)
    assert torch.equal(batch.inputs.sum(-1), torch.ones(gap + tokens, 2, 3))
    shown = batch.inputs.argmax(-1)
    assert batch.targets.shape == (tokens, 2, 3)
    for answer in range(tokens):
        step = int(task.answer_steps(batch, answer)[0, 0])
        assert step == gap + answer
        assert torch.equal(batch.targets[step - task.loss_steps.start], shown[step - gap])
    assert (task.smallest_lag, task.largest_lag, task.sequence_length) == (gap, gap, gap + tokens)


def test_echo_tokens_are_uniform_at_every_step() -> None:
    task = Delay(gap=2, tokens=2, alphabet=4)
    shown = task.batch(torch.tensor([3]), "test", 0, 8000).inputs[:, 0].argmax(-1)  # [time, batch]
    pairs = shown[:3] * 4 + shown[1:]
    for step in pairs:
        counts = torch.bincount(step, minlength=16)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_echo_chance_against_the_generator() -> None:
    task, size = Delay(gap=3, tokens=4, alphabet=5), 5000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    outputs = torch.zeros(4, 1, size, 5)
    outputs[..., 2] = 1e-6  # uniform, with one token always ahead
    metrics, chance = task.metrics(outputs, batch), task.chance()
    assert metrics["loss"].item() == pytest.approx(math.log(5), rel=1e-5)
    assert chance == {"loss": math.log(5), "accuracy": 1 / 5, "skill": 0.0}
    error = math.sqrt(1 / 5 * 4 / 5 / (4 * size))
    assert abs(metrics["accuracy"].item() - chance["accuracy"]) < 4.5 * error
    assert abs(metrics["skill"].item()) < 4.5 * error * 5 / 4


def test_echo_metrics_by_hand() -> None:
    task = Delay(gap=3, tokens=2, alphabet=5)
    batch = task.batch(torch.tensor([0, 1]), "eval", 0, 5)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, 5).float()
    outputs[0, 1, :2] = outputs[0, 1, :2].roll(1, -1)  # run 1 misses two of ten
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.0, 8.0]))
    torch.testing.assert_close(metrics["accuracy"], torch.tensor([1.0, 0.8]))
    torch.testing.assert_close(metrics["skill"], torch.tensor([1.0, 0.75]))
    assert task.solved(metrics).tolist() == [True, False]


@pytest.mark.parametrize("gap", [1, 2, 7, 40])
def test_gu2022_by_its_definition(gap: int) -> None:
    task = Delay(gap=gap, convention="gu2022")
    batch = task.batch(torch.tensor([1, 2]), "train", 0, 3)
    assert batch.inputs.shape == batch.targets.shape == (4 * gap, 2, 3, 1)
    assert (batch.targets[:gap] == 0).all()
    assert torch.equal(batch.targets[gap:], batch.inputs[:-gap])
    assert task.loss_steps == range(4 * gap)
    assert int(task.answer_steps(batch, 0)[0, 0]) == gap
    assert (task.smallest_lag, task.largest_lag) == (gap, gap)


@pytest.mark.parametrize(("gap", "delays"), [(24, (0, 6, 12, 18, 24)), (21, (0, 5, 10, 16, 21))])
def test_voelker2019_by_its_definition(gap: int, delays: tuple[int, ...]) -> None:
    task = Delay(gap=gap, convention="voelker2019")
    batch = task.batch(torch.tensor([1, 2]), "train", 0, 3)
    assert batch.targets.shape == (gap, 2, 3, 5)
    assert task.loss_steps == range(gap, 2 * gap)
    for output, delay in enumerate(delays):
        for step in (gap, gap + 5, 2 * gap - 1):
            assert torch.equal(batch.targets[step - gap, ..., output], batch.inputs[step - delay, ..., 0])
    assert (task.smallest_lag, task.largest_lag) == (0, gap)


def test_voelker2019_needs_steps_enough_for_its_periods() -> None:
    with pytest.raises(OptionError, match=">= 21") as caught:
        Delay(gap=20, convention="voelker2019")
    assert caught.value.key == "gap"
    assert Delay(gap=21, convention="voelker2019").frequencies < 21


@pytest.mark.parametrize(
    ("convention", "gap", "highest"),
    [("gu2022", 25, 25), ("voelker2019", 30, 20)],  # a quarter of 100 steps; 10 a window, two windows
)
def test_noise_fills_its_band_and_nothing_else(convention: str, gap: int, highest: int) -> None:
    task, size = Delay(gap=gap, convention=convention), 2000
    signal = task.batch(torch.tensor([1]), "train", 0, size).inputs[:, 0, :, 0].double()
    power = torch.fft.rfft(signal, dim=0, norm="forward").abs().square()  # [frequencies, batch]
    assert float(power[0].max()) < 1e-12
    assert float(power[highest + 1 :].max()) < 1e-12
    # Each frequency has the power rms^2 / highest, split between k and -k, exponentially distributed.
    expected = 0.25 / highest / 2
    assert float((power[1 : highest + 1].mean(1) / expected - 1).abs().max()) < 4.5 / math.sqrt(size)


@every_noise
def test_noise_has_the_same_rms_and_a_normal_value_at_every_step(convention: str) -> None:
    task, size = Delay(gap=23, convention=convention), 4000
    signal = task.batch(torch.tensor([2]), "train", 0, size).inputs[:, 0, :, 0]
    assert float((signal.square().mean(1) / 0.25 - 1).abs().max()) < 4.5 * math.sqrt(2 / size)
    assert float(signal.mean(1).abs().max()) < 4.5 * 0.5 / math.sqrt(size)
    assert stats.kstest(signal[5].numpy(), "norm", (0, 0.5)).pvalue > 1e-5


@every_noise
@pytest.mark.parametrize("gap", [22, 23])  # gu2022: correlation -1/22 at the gap, or none
def test_noise_chance_against_the_generator(convention: str, gap: int) -> None:
    task, size = Delay(gap=gap, convention=convention), 8000
    batch = task.batch(torch.tensor([3]), "test", 0, size)
    targets, current = batch.targets[:, 0].double(), batch.inputs[list(task.loss_steps), 0].double()
    zero = targets.square().mean((0, 2))  # per sample
    assert abs(float(zero.mean()) - task.landmarks()["always zero"]) < 4.5 * float(zero.std()) / math.sqrt(size)
    multiple = (targets * current).mean((0, 1)) / current.square().mean()
    best = (targets - multiple * current).square().mean((0, 2))
    chance = task.chance()
    assert abs(float(best.mean()) - chance["loss"]) < 4.5 * float(best.std()) / math.sqrt(size)
    outputs = (multiple * current).float()[:, None]
    skill = task.metrics(outputs, batch)["skill"].item()
    deviation = 4.5 * float(best.std()) / math.sqrt(size) / task.landmarks()["always zero"]
    assert abs(skill - chance["skill"]) < deviation


def test_noise_chance_in_closed_form() -> None:
    assert Delay(gap=24, convention="gu2022").chance()["loss"] == pytest.approx(0.25 * 3 / 4)
    # One delay of the five is the input itself; the others are almost unrelated to it.
    assert Delay(gap=40, convention="voelker2019").chance()["skill"] == pytest.approx((1 + 2 / 400) / 5)
    # Two steps a period apart by pi/2 and pi: r = (0 - 1) / 2, f = 3/4, skill = r^2 f.
    assert Delay(gap=2, convention="gu2022").chance()["skill"] == pytest.approx(3 / 16)


@every_noise
def test_noise_skill_by_hand(convention: str) -> None:
    task = Delay(gap=21, convention=convention)
    batch = task.batch(torch.tensor([0, 1]), "eval", 0, 3)
    outputs = batch.targets.clone()
    outputs[:, 1] += 0.1
    metrics = task.metrics(outputs, batch)
    power = 0.25 * (3 / 4 if convention == "gu2022" else 1)
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.0, 0.01]))
    torch.testing.assert_close(metrics["skill"], torch.tensor([1.0, 1 - 0.01 / power]))
    assert task.solved(metrics).tolist() == [True, False]


def test_quiet_steps_are_the_last_gap_before_the_last_answer() -> None:
    assert Delay(gap=5, tokens=3).quiet_steps == range(2, 7)
    assert Delay(gap=5, convention="gu2022").quiet_steps == range(14, 19)
