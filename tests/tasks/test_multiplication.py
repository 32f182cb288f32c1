from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean, assert_share
from scipy import integrate, optimize

from lrd.options import OptionError
from lrd.tasks import Multiplication

CONVENTIONS = ("hochreiter1997", "pascanu2013")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


@settings(max_examples=30)
@given(st.sampled_from(CONVENTIONS), st.integers(22, 60), st.integers(0, 2**40))
def test_each_sample_by_its_definition(convention: str, gap: int, seed: int) -> None:
    task = Multiplication(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    last = task.answer_steps(batch, -1)
    for run in range(2):
        for sample in range(6):
            length = int(last[run, sample]) + 1
            assert gap <= length <= gap + gap // 10
            values, markers = batch.inputs[:, run, sample].unbind(-1)
            assert 0 <= float(values.min()) <= float(values.max()) < 1
            assert not values[length:].any()
            assert not markers[length:].any()
            first, second = (markers == 1).nonzero()[:, 0].tolist()
            if convention == "hochreiter1997":
                assert first < 10
                assert second < gap // 2 - 1
                assert all(markers[end] == -1 for end in {0, length - 1} - {first, second})
            else:
                assert first < length // 10 <= second < length // 2
            target = batch.targets[length - 1 - task.loss_steps.start, run, sample, 0]
            assert float(target) == pytest.approx(float(values[first]) * float(values[second]), abs=2**-24)
            assert task.smallest_lag <= length - 1 - second <= length - 1 - first <= task.largest_lag


def test_only_the_net_of_1997_has_a_logistic_output() -> None:
    assert Multiplication().logistic
    assert not Multiplication(convention="pascanu2013").logistic


def test_shown() -> None:
    task = Multiplication(gap=30)
    batch = task.batch(torch.tensor([5]), "probe", 0, 8)
    first, second, product = task.shown(batch)
    assert [item.name for item in (first, second, product)] == ["first number", "second number", "product"]
    assert torch.equal(product.values, first.values * second.values)
    target = task.at_answer(batch.targets, batch)[..., 0]
    torch.testing.assert_close(product.values, target, rtol=0, atol=0)


@every_convention
def test_chance_and_landmark_against_the_generator(convention: str) -> None:
    task, size = Multiplication(gap=30, convention=convention), 20_000
    batch = task.batch(torch.tensor([4]), "test", 0, size)
    target = task.at_answer(batch.targets, batch)[0, :, 0]
    chance = task.chance()
    assert chance["loss"] == pytest.approx(7 / 144)
    assert_mean((target - 0.25).square(), chance["loss"])
    # The best constants, found here by search on the samples; their choice adds less than the sampling error.
    assert_mean((target - target.median()).abs(), chance["mean_absolute_error"])
    tolerance = 0.04 if convention == "hochreiter1997" else 0.2
    assert_share(float((target > 2 * tolerance).float().mean()), chance["error_share"], size)
    first = task.shown(batch)[0].values[0]
    assert_mean((target - first / 2).square(), task.landmarks()["one number known"])


def test_chance_by_numerical_integration() -> None:
    def expected(error: float) -> float:
        def density(z: float) -> float:
            return -math.log(z) * abs(z - error)

        return integrate.quad(density, 0, error)[0] + integrate.quad(density, error, 1)[0]

    best = optimize.minimize_scalar(expected, bounds=(0.05, 0.5), method="bounded")
    # quad's absolute tolerance is 1.5e-8.
    assert Multiplication().chance()["mean_absolute_error"] == pytest.approx(best.fun, abs=1e-7)


@every_convention
def test_no_constant_beats_chance(convention: str) -> None:
    task = Multiplication(gap=22, convention=convention)
    batch = task.batch(torch.tensor([4]), "test", 0, 20_000)
    for constant in (0.02, 0.04, 0.1, 0.2, 0.25, 0.3, 0.5):
        outputs = torch.full_like(batch.targets, constant)
        metrics = task.metrics(torch.logit(outputs) if task.logistic else outputs, batch)
        for key, level in task.chance().items():
            # Errors lie in [0, 1], so that a mean's standard error is at most 0.5 / sqrt(20,000) = 0.0035.
            assert metrics[key].item() > level - 4.5 * 0.0035, (key, constant)


@pytest.mark.parametrize(
    ("convention", "wrong", "right"), [("hochreiter1997", 0.041, 0.039), ("pascanu2013", 0.21, 0.19)]
)
def test_metrics_by_hand(convention: str, wrong: float, right: float) -> None:
    task = Multiplication(gap=40, convention=convention)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    said = batch.targets + torch.tensor([wrong, wrong, right, right])[None, None, :, None]
    assert float(said.max()) < 1
    outputs = torch.logit(said) if task.logistic else said
    assert batch.weights is not None
    outputs = torch.where(batch.weights[..., None] > 0, outputs, 5.0)  # what is said on padding does not count
    metrics = task.metrics(outputs, batch)
    assert metrics["error_share"].item() == 0.5
    assert metrics["mean_absolute_error"].item() == pytest.approx((wrong + right) / 2, rel=1e-4)
    assert metrics["loss"].item() == pytest.approx((wrong**2 + right**2) / 2, rel=1e-4)
    torch.testing.assert_close(task.loss(outputs, batch), metrics["loss"])


def test_solved_by_both_criteria_of_1997_and_by_pascanus() -> None:
    metrics = {"error_share": torch.tensor([139, 140, 12, 13, 19, 20]) / 2000}
    assert Multiplication().solved(metrics).tolist() == [True, False, True, True, True, True]
    assert Multiplication(allowed=13).solved(metrics).tolist() == [False, False, True, False, False, False]
    assert Multiplication(convention="pascanu2013").solved(metrics).tolist() == [False, False, True, True, True, False]
    assert "140 of 2000" in Multiplication().criterion


@pytest.mark.parametrize(("convention", "least"), [("hochreiter1997", 22), ("pascanu2013", 10)])
def test_least_gap(convention: str, least: int) -> None:
    with pytest.raises(OptionError, match=f">= {least}"):
        Multiplication(gap=least - 1, convention=convention)
    Multiplication(gap=least, convention=convention).batch(torch.tensor([0]), "train", 0, 50)
