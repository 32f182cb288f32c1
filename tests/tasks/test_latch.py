from __future__ import annotations

import math

import pytest
import torch
from helpers import loop_of_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.cells import RNN
from lrd.options import OptionError
from lrd.tasks import Latch


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 40), st.floats(0, 2), st.integers(0, 2**40))
def test_each_sample_by_its_definition(shown: int, rest: int, noise: float, seed: int) -> None:
    task = Latch(gap=shown + rest, class_steps=shown, noise=noise)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 3)
    assert batch.inputs.shape == (shown + rest, 2, 3, 1)
    signs = batch.inputs[0]
    assert set(signs.unique().tolist()) <= {-1.0, 1.0}
    assert torch.equal(batch.inputs[:shown], signs.expand(shown, -1, -1, -1))
    assert torch.equal(batch.targets, torch.where(signs > 0, 0.8, -0.8)[None])
    last = int(task.answer_steps(batch, 0)[0, 0])
    assert (last - (shown - 1), last) == (task.smallest_lag, task.largest_lag)
    (item,) = task.shown(batch)
    assert torch.equal(item.values == 1, signs[..., 0] > 0)
    assert (item.steps == shown - 1).all()
    assert task.quiet_steps == range(shown - 1, shown + rest - 1)


def test_noise_is_normal_and_has_nothing_to_do_with_the_class() -> None:
    task, size = Latch(gap=6, class_steps=2, noise=0.3), 4000
    inputs = task.batch(torch.tensor([3]), "test", 0, size).inputs[:, 0, :, 0].double()
    signs, noise = inputs[0], inputs[2:]
    assert abs(float(signs.mean())) < 4.5 / math.sqrt(size)
    for step in noise:
        assert stats.kstest(step.numpy(), "norm", (0, 0.3)).pvalue > 1e-5
    correlations = torch.corrcoef(torch.cat((signs[None], noise)))
    correlations.fill_diagonal_(0)
    assert float(correlations.abs().max()) < 4.5 / math.sqrt(size)


def test_a_gap_without_a_step_of_noise_is_refused() -> None:
    with pytest.raises(OptionError, match=r"must be > class_steps \(3\), got 3") as caught:
        Latch(gap=3)
    assert caught.value.key == "gap"
    assert Latch(gap=4).smallest_lag == 1


def test_chance_against_the_generator() -> None:
    task, size = Latch(gap=10), 4000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    chance = task.chance()
    at_zero = task.metrics(torch.zeros_like(batch.targets), batch)["loss"].item()
    assert at_zero == pytest.approx(chance["loss"], rel=1e-5)
    # Any other constant c costs c^2 more, up to 1.6 c times how far the classes are from even.
    for c in (-0.6, 0.6):
        metrics = task.metrics(torch.full_like(batch.targets, c), batch)
        assert abs(metrics["loss"].item() - chance["loss"] - c * c) < 4.5 * 1.6 * abs(c) / math.sqrt(size)
        assert abs(metrics["error_share"].item() - chance["error_share"]) < 4.5 * math.sqrt(0.25 / size)
    # The best multiple of the present input is 0, within its error s_target / s_noise / sqrt(size).
    present = batch.inputs[-1].flatten().double()
    slope = float((present * batch.targets.flatten()).mean() / present.square().mean())
    assert abs(slope) < 4.5 * 0.8 / 0.2 / math.sqrt(size)


def test_metrics_by_hand() -> None:
    task = Latch()
    batch = task.batch(torch.tensor([3, 4]), "eval", 0, 4)
    outputs = batch.targets * 0.75
    outputs[:, 1, 0] *= -1
    outputs[:, 1, 1] /= 2  # the right sign, and yet nearer to 0
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.04, (1.96 + 0.25 + 2 * 0.04) / 4]))
    assert metrics["error_share"].tolist() == [0.0, 0.5]
    for nothing in (0.0, torch.nan):
        assert task.metrics(torch.full_like(outputs, nothing), batch)["error_share"].tolist() == [1.0, 1.0]
    assert task.solved({"error_share": torch.tensor([0.0099, 0.01])}).tolist() == [True, False]


@pytest.mark.parametrize("gap", [20, 60])
def test_one_unit_latches_above_w_of_1_and_forgets_below(gap: int) -> None:
    """x_t = tanh(w x_{t-1} + input). w = 2 withstands .53 at every step, some 2.7 deviations of the noise; w = 1/2
    leaves 2^-17 of the first steps beside noise of some .2, so that even the sign of the answer is chance."""
    task, size = Latch(gap=gap), 2000
    batch = task.batch(torch.tensor([5]), "test", 0, size)
    shares = {}
    for w in (2.0, 0.5):
        p = {"U": torch.ones(1, 1), "W": torch.tensor([[w]]), "b": torch.zeros(1)}
        (last,) = loop_of_cells(RNN(hidden_size=1), p, batch.inputs[:, 0])[-1]
        shares[w] = task.metrics(last[None, None], batch)["error_share"].item()
        right_sign = float((last[None, None] * batch.targets > 0).float().mean())
    assert shares[2.0] < 0.01
    assert abs(right_sign - 0.5) < 4.5 * math.sqrt(0.25 / size)
    assert shares[0.5] > task.chance()["error_share"]
