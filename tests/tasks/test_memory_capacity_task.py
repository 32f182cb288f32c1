from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.shapes import Tensor
from lrd.tasks import Batch, ScalarMemory


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**40))
def test_every_output_is_asked_for_its_delay(gap: int, steps: int, seed: int) -> None:
    task = ScalarMemory(gap=gap, steps=steps)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 5, 3)
    assert batch.inputs.shape == (gap + steps, 2, 3, 1)
    assert batch.targets.shape == (steps, 2, 3, gap)
    assert -0.5 <= float(batch.inputs.min()) <= float(batch.inputs.max()) < 0.5
    for answer in range(steps):
        t = int(task.answer_steps(batch, answer)[0, 0])
        assert t == gap + answer
        for k in range(1, gap + 1):
            assert torch.equal(batch.targets[answer, ..., k - 1], batch.inputs[t - k, ..., 0])
    assert (task.smallest_lag, task.largest_lag) == (1, gap)
    items = task.shown(batch)
    assert len(items) == min(gap, 10)
    last = gap + steps - 1
    assert {int(items[0].steps[0, 0]), int(items[-1].steps[0, 0])} == {last - 1, last - gap}
    for item in items:
        assert torch.equal(item.values, batch.inputs[int(item.steps[0, 0]), ..., 0])
        assert item.name == f"delay {last - int(item.steps[0, 0])}"
        assert item.classes is None


def test_numbers_are_uniform_and_independent() -> None:
    task, size = ScalarMemory(gap=2, steps=3), 4000
    u = task.batch(torch.tensor([3]), "test", 0, size).inputs[:, 0, :, 0].double()
    for step in u:
        assert stats.kstest(step.numpy(), "uniform", (-0.5, 1.0)).pvalue > 1e-5
    correlations = torch.corrcoef(u)
    correlations.fill_diagonal_(0)
    assert float(correlations.abs().max()) < 4.5 / math.sqrt(size)


def test_chance_against_the_generator() -> None:
    task, size = ScalarMemory(gap=3, steps=4), 4000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    chance, zeros = task.chance(), torch.zeros_like(batch.targets)
    metrics = task.metrics(zeros, batch)
    per_sample = batch.targets.double().square().mean((0, 1, 3))
    error = 4.5 * float(per_sample.std()) / math.sqrt(size)
    assert chance["loss"] == pytest.approx(1 / 12)
    assert abs(metrics["loss"].item() - chance["loss"]) < error
    assert abs(metrics["skill"].item() - chance["skill"]) < 12 * error
    assert metrics["capacity"].item() == chance["capacity"] == 0
    # The present number instead: r^2 of each of three delays is chi^2 / n, of mean 1 / n and deviation sqrt(2) / n,
    # the n products of independent numbers being uncorrelated; 5 deviations of a sum of three with that many tails.
    present = batch.inputs[3:].expand_as(batch.targets).contiguous()
    n = 4 * size
    assert task.metrics(present, batch)["capacity"].item() < (3 + 10 * math.sqrt(2 * 3)) / n


def register(task: ScalarMemory, batch: Batch, units: int) -> Tensor:
    """What a shift register of so many units, the present number in the first, can answer: 0 beyond its end."""
    outputs = torch.zeros_like(batch.targets)
    outputs[..., : units - 1] = batch.targets[..., : units - 1]
    return outputs


@pytest.mark.parametrize("units", [1, 2, 5, 9])
def test_a_shift_register_has_the_capacity_of_its_length_but_for_the_present(units: int) -> None:
    task = ScalarMemory(gap=8, steps=20)
    batch = task.batch(torch.tensor([1, 2]), "eval", 0, 30)
    outputs = register(task, batch, units)
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["capacity"], torch.full((2,), units - 1.0))
    assert task.solved(metrics).tolist() == [units == 9] * 2
    scaled = task.metrics(3 - 2 * outputs, batch)["capacity"]
    torch.testing.assert_close(scaled, metrics["capacity"])


def test_fitted_readouts_of_any_states_stay_below_the_number_of_units() -> None:
    """States of 4 tanh units, readouts fitted to other sequences: 20 delays, capacity 4 at most.

    Without any relation 20 outputs add 20 / n in expectation, with a deviation of sqrt(40) / n.
    """
    task, size, n = ScalarMemory(gap=20, steps=30), 200, 200 * 30
    generator = torch.Generator().manual_seed(2)
    w = 0.9 * torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    v = torch.randn(4, generator=generator)
    states, batches = [], [task.batch(torch.tensor([1]), "train", step, size) for step in (0, 1)]
    for batch in batches:
        h, kept = torch.zeros(size, 4), []
        for u in batch.inputs[:, 0]:
            h = torch.tanh(h @ w.T + u * v)
            kept.append(h)
        states.append(torch.stack(kept[20:]))
    fit = torch.linalg.lstsq(states[0].flatten(0, 1), batches[0].targets.flatten(0, 2)).solution
    outputs = (states[1].flatten(0, 1) @ fit).view(30, 1, size, 20)
    capacity = task.metrics(outputs, batches[1])["capacity"].item()
    assert 1 < capacity < 4 + (20 + 4.5 * math.sqrt(40)) / n


def test_skill_by_hand() -> None:
    task = ScalarMemory(gap=2, steps=3)
    batch = task.batch(torch.tensor([0, 1, 2]), "eval", 0, 3)
    outputs = batch.targets.clone()
    outputs[:, 1] += 0.1
    outputs[:, 2] = torch.nan
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["loss"][:2], torch.tensor([0.0, 0.01]))
    torch.testing.assert_close(metrics["skill"][:2], torch.tensor([1.0, 1 - 0.12]))
    torch.testing.assert_close(metrics["capacity"][:2], torch.tensor([2.0, 2.0]))
    assert metrics["capacity"][2].isnan()
    assert task.solved(metrics).tolist() == [True, False, False]
