from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean, assert_share
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Batch, SpikeDelays

EVERY = [
    SpikeDelays(gap=5),
    SpikeDelays(gap=5, linear=True, intervals=3),
    SpikeDelays(gap=4, spread=6, intervals=3),
    SpikeDelays(gap=4, spread=6, offsets="ends", intervals=4),
    SpikeDelays(gap=9, spread=2, intervals=1),
]
every_kind = pytest.mark.parametrize("task", EVERY, ids=str)


def counted(spikes: list[float], gap: int) -> list[tuple[int, int]]:
    """Return the steps of the spikes and how late each is, by counting from one to the next."""
    found, count = [], 0
    for step, spike in enumerate(spikes):
        count += 1
        if spike == 1:
            found.append((step, count - gap))
            count = 0
    return found


def at_spikes(task: SpikeDelays, batch: Batch) -> Tensor:
    """Return the targets of the spikes [intervals, runs, batch]."""
    steps = torch.stack([task.answer_steps(batch, k) for k in range(task.answers)])
    return batch.targets[..., 0].gather(0, steps - task.loss_steps.start)


@settings(max_examples=60)
@given(
    st.integers(2, 30),
    st.integers(1, 8),
    st.sampled_from(["all", "ends"]),
    st.integers(1, 5),
    st.integers(0, 2**40),
)
def test_each_sequence_by_its_definition(gap: int, spread: int, offsets: str, intervals: int, seed: int) -> None:
    task = SpikeDelays(gap=gap, spread=spread, offsets=offsets, intervals=intervals)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 4)
    assert batch.weights is not None
    assert set(batch.inputs.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(batch.weights, batch.inputs[task.loss_steps.start :, ..., 0])
    allowed = {0, spread} if offsets == "ends" else set(range(spread + 1))
    (item,) = task.shown(batch)
    for run in range(2):
        for sample in range(4):
            found = counted(batch.inputs[:, run, sample, 0].tolist(), gap)
            assert len(found) == intervals
            assert {late for _, late in found} <= allowed
            targets = [0.0] * task.sequence_length
            for k, (step, late) in enumerate(found):
                targets[step] = late
                assert int(task.answer_steps(batch, k)[run, sample]) == step
            assert batch.targets[:, run, sample, 0].tolist() == targets[task.loss_steps.start :]
            # As steps between what is seen: from the spike before, or from the first step.
            before = [0] + [step for step, _ in found[:-1]]
            lags = [step - earlier for earlier, (step, _) in zip(before, found, strict=True)]
            assert task.smallest_lag <= min(lags)
            assert max(lags) <= task.largest_lag
            assert int(item.steps[run, sample]) == before[-1]
            assert float(item.values[run, sample]) == found[-1][1]


@every_kind
def test_lags_are_reached(task: SpikeDelays) -> None:
    batch = task.batch(torch.tensor([3]), "train", 0, 4000)
    steps = torch.stack([torch.zeros(1, 4000).long(), *(task.answer_steps(batch, k) for k in range(task.answers))])
    lags = steps.diff(dim=0)
    assert (int(lags.min()), int(lags.max())) == (task.smallest_lag, task.largest_lag)


@every_kind
def test_delays_are_as_likely_and_do_not_depend_on_each_other(task: SpikeDelays) -> None:
    late = at_spikes(task, task.batch(torch.tensor([3]), "test", 0, 8000))[:, 0].long()
    values = late.unique()
    assert len(values) == task.kinds
    number = torch.searchsorted(values, late)
    for k in range(task.intervals):
        assert stats.chisquare(torch.bincount(number[k], minlength=task.kinds).numpy()).pvalue > 1e-5
    if task.intervals > 1:
        pairs = torch.bincount(number[0] * task.kinds + number[1], minlength=task.kinds**2)
        assert stats.chisquare(pairs.numpy()).pvalue > 1e-5


@every_kind
def test_chance_against_the_generator(task: SpikeDelays) -> None:
    size = 8000
    batch, chance = task.batch(torch.tensor([5]), "test", 0, size), task.chance()
    late = at_spikes(task, batch)[:, 0].double()
    middle = (late.min() + late.max()) / 2
    # A mean over the spikes of a sequence is one independent value.
    assert_mean((late - middle).square().mean(0), chance["loss"])
    said = torch.zeros_like(batch.targets) - (30 if task.logistic else 0)  # always 0
    metrics = task.metrics(said, batch)
    assert_share(metrics["accuracy"].item(), chance["accuracy"], size * task.intervals)
    assert_share(metrics["sequence_accuracy"].item(), chance["sequence_accuracy"], size)


@every_kind
def test_no_constant_is_better_than_chance(task: SpikeDelays) -> None:
    """Over every delay once: all constants on a fine grid."""
    delays = [0, task.spread] if task.offsets == "ends" else list(range(task.spread + 1))
    chance = task.chance()
    grid = [k / 50 for k in range(-25, 50 * task.spread + 26)]
    assert min(sum((c - d) ** 2 for d in delays) for c in grid) / len(delays) == pytest.approx(chance["loss"])
    assert max(sum(abs(c - d) < 0.49 for d in delays) for c in grid) / len(delays) == pytest.approx(chance["accuracy"])
    assert chance["sequence_accuracy"] == pytest.approx(chance["accuracy"] ** task.intervals)


def test_metrics_by_hand() -> None:
    task = SpikeDelays(gap=4, spread=3, intervals=2)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    outputs = torch.full_like(batch.targets, 99.0)  # what is said in silence does not count
    for k, errors in enumerate(([0.0, 0.48, 0.5, -0.49], [0.0, -0.48, 0.0, math.nan])):
        step = (task.answer_steps(batch, k) - task.loss_steps.start)[None, ..., None]
        outputs.scatter_(0, step, batch.targets.gather(0, step) + torch.tensor(errors)[None, None, :, None])
    metrics = task.metrics(outputs, batch)
    assert metrics["accuracy"].item() == pytest.approx(5 / 8)
    assert metrics["sequence_accuracy"].item() == 0.5
    assert math.isnan(metrics["loss"].item())
    assert batch.weights is not None
    first = Batch(batch.inputs[:, :, :3], batch.targets[:, :, :3], batch.weights[:, :, :3])
    loss = task.metrics(outputs[:, :, :3], first)["loss"].item()
    assert loss == pytest.approx((0.48**2 + 0.5**2 / 2) / 3, rel=1e-5)


def test_one_wrong_delay_is_enough_not_to_solve_it() -> None:
    task = SpikeDelays(gap=3, spread=2, intervals=20)
    batch = task.batch(torch.tensor([3, 4]), "eval", 0, 500)
    outputs = batch.targets.clone()
    outputs[task.answer_steps(batch, 7)[1, 9] - task.loss_steps.start, 1, 9] += 0.5
    metrics = task.metrics(outputs, batch)
    assert task.solved(metrics).tolist() == [True, False]
    assert metrics["accuracy"].tolist() == pytest.approx([1, 9999 / 10000])


def test_the_output_is_logistic_for_0_and_1_alone() -> None:
    assert SpikeDelays().logistic
    assert not SpikeDelays(linear=True).logistic
    assert not SpikeDelays(spread=2).logistic
    assert SpikeDelays(offsets="ends").chance() == SpikeDelays().chance()


def test_wrong_options() -> None:
    for options, key in (({"gap": 1}, "gap"), ({"spread": 0}, "spread"), ({"intervals": 0}, "intervals")):
        with pytest.raises(OptionError) as caught:
            SpikeDelays(**options)
        assert caught.value.key == key
    with pytest.raises(IndexError):
        SpikeDelays(intervals=2).answer_steps(SpikeDelays(intervals=2).batch(torch.tensor([1]), "eval", 0, 1), 2)
