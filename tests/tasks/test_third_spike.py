from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean
from scipy import stats

from lrd.options import OptionError
from lrd.tasks import ThirdSpike


@settings(max_examples=60)
@given(st.integers(2, 30), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**40))
def test_each_sequence_by_its_definition(gap: int, spread: int, room: int, seed: int) -> None:
    task = ThirdSpike(gap=gap, spread=spread, room=room)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    assert batch.weights is None
    (item,) = task.shown(batch)
    for run in range(2):
        for sample in range(6):
            spikes = [t for t, x in enumerate(batch.inputs[:, run, sample, 0].tolist()) if x == 1]
            assert batch.inputs[:, run, sample].sum() == len(spikes) == 2
            distance = spikes[1] - spikes[0]
            assert gap <= distance <= gap + spread
            target = [0.0] * task.sequence_length
            target[spikes[1] + distance] = 1
            assert batch.targets[:, run, sample, 0].tolist() == target
            assert int(task.answer_steps(batch, 0)[run, sample]) == spikes[1] + distance
            assert (float(item.values[run, sample]), int(item.steps[run, sample])) == (distance, spikes[1])


def test_by_default_it_has_the_sizes_of_the_replication() -> None:
    task = ThirdSpike()
    assert (task.sequence_length, task.distances[0], task.distances[-1]) == (150, 30, 60)
    assert (task.smallest_lag, task.largest_lag) == (30, 120)


def test_distances_are_as_likely_and_so_are_the_places_of_each() -> None:
    task = ThirdSpike(gap=3, spread=2, room=4)
    batch = task.batch(torch.tensor([3]), "test", 0, 9000)
    distance, first = task.shown(batch)[0].values[0].long(), batch.inputs[:, 0, :, 0].argmax(0)
    counts = torch.bincount(distance, minlength=6)[3:]
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5
    for d in (3, 4, 5):
        places = torch.bincount(first[distance == d])
        assert len(places) == 14 - 2 * d
        assert stats.chisquare(places.numpy()).pvalue > 1e-5


def test_chance_against_the_generator() -> None:
    """The best table by input: its two numbers are the shares of targets behind each input."""
    task = ThirdSpike(gap=4, spread=3, room=5)
    batch = task.batch(torch.tensor([3]), "test", 0, 200)
    x, y = batch.inputs.double(), batch.targets.double()
    said = sum(mask * (mask * y).sum() / mask.sum() for mask in (x, 1 - x))
    assert_mean((said - y).square().mean(0), task.chance()["loss"])
    assert task.metrics(torch.as_tensor(said).float(), batch)["accuracy"].item() == task.chance()["accuracy"] == 0


def test_metrics_by_hand() -> None:
    task = ThirdSpike(gap=5, spread=2, room=4)
    batch = task.batch(torch.tensor([3]), "eval", 0, 5)
    outputs = 0.5 * batch.targets
    second, third = task.shown(batch)[0].steps[0], task.answer_steps(batch, 0)[0]
    outputs[second[0], 0, 0] = 9  # before the window
    outputs[second[1] + 1, 0, 1] = 0.6  # the first step of the window
    outputs[third[2] - 1, 0, 2] = 0.5  # a tie
    outputs[third[3] - 1, 0, 3] = torch.nan
    metrics = task.metrics(outputs, batch)
    assert metrics["accuracy"].item() == pytest.approx(2 / 5)
    outputs[:, :, 3] = 0
    squares = [0.25 + 81, 0.25 + 0.36, 0.25 + 0.25, 1.0, 0.25]
    loss = task.metrics(outputs, batch)["loss"].item()
    assert loss == pytest.approx(sum(squares) / 5 / task.sequence_length, rel=1e-5)


def test_solved() -> None:
    assert ThirdSpike().solved({"accuracy": torch.tensor([0.989, 0.99, torch.nan])}).tolist() == [False, True, False]


def test_wrong_options() -> None:
    for key in ("gap", "spread", "room"):
        with pytest.raises(OptionError) as caught:
            ThirdSpike(**{key: 0})
        assert caught.value.key == key
