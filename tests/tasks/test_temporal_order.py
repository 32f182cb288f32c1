from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean, assert_share
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Batch, TemporalOrder

CONVENTIONS = ("hochreiter1997", "pascanu2013")
every_kind = pytest.mark.parametrize(("convention", "ordered"), [(c, n) for c in CONVENTIONS for n in (2, 3)])
X, Y, E, B = 0, 1, 6, 7  # columns; 2 to 5 are the distractors


def answers(task: TemporalOrder, batch: Batch) -> Tensor:
    """The class of each sample [runs, batch]."""
    at_end = task.at_answer(batch.targets, batch)
    return at_end if task.classification else at_end.argmax(-1)


def test_windows_are_the_papers() -> None:
    """Of 100 steps; 1997 counts positions from 1, Pascanu's code from 0."""
    of_1997 = {n: TemporalOrder(ordered=n).windows for n in (2, 3)}
    assert of_1997[2] == (range(9, 20), range(49, 60))  # 10..20, 50..60
    assert of_1997[3] == (range(9, 20), range(32, 43), range(65, 76))  # 10..20, 33..43, 66..76
    of_2013 = {n: TemporalOrder(convention="pascanu2013", ordered=n).windows for n in (2, 3)}
    assert of_2013[2] == (range(10, 20), range(50, 60))
    assert of_2013[3] == (range(10, 20), range(30, 40), range(60, 70))
    assert (TemporalOrder().smallest_lag, TemporalOrder().largest_lag) == (40, 100)


@settings(max_examples=40)
@given(st.sampled_from(CONVENTIONS), st.sampled_from([2, 3]), st.integers(20, 70), st.integers(0, 2**40))
def test_each_sample_by_its_definition(convention: str, ordered: int, gap: int, seed: int) -> None:
    task = TemporalOrder(gap=gap, convention=convention, ordered=ordered)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    last, classes = task.answer_steps(batch, -1), answers(task, batch)
    for run in range(2):
        for sample in range(6):
            length = int(last[run, sample]) + 1
            one_hot = batch.inputs[:, run, sample]
            assert not one_hot[length:].any()
            assert (one_hot[:length].sum(-1) == 1).all()
            assert set(one_hot.unique().tolist()) <= {0.0, 1.0}
            symbols = one_hot[:length].argmax(-1).tolist()
            if convention == "hochreiter1997":
                assert gap <= length <= gap + gap // 10
                assert (symbols[0], symbols[-1]) == (E, B)
                assert not {E, B} & set(symbols[1:-1])
            else:
                assert length == gap
                assert task.input_size == 6
            places = [step for step, symbol in enumerate(symbols) if symbol in (X, Y)]
            assert len(places) == ordered
            assert all(place in window for place, window in zip(places, task.windows, strict=True))
            bits = "".join("XY"[symbols[place]] for place in places).replace("X", "0").replace("Y", "1")
            assert int(classes[run, sample]) == int(bits, 2)
            lags = [length - 1 - place for place in places]
            assert task.smallest_lag <= min(lags)
            assert max(lags) <= task.largest_lag


@every_kind
def test_places_classes_and_distractors_are_uniform(convention: str, ordered: int) -> None:
    task = TemporalOrder(gap=40, convention=convention, ordered=ordered)
    batch = task.batch(torch.tensor([3]), "test", 0, 6000)
    classes = torch.bincount(answers(task, batch)[0], minlength=2**ordered)
    assert len(classes) == 2**ordered
    assert stats.chisquare(classes.numpy()).pvalue > 1e-5
    for item, window in zip(task.shown(batch), task.windows, strict=True):
        counts = torch.bincount(item.steps[0] - window.start, minlength=len(window))
        assert len(counts) == len(window)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5
    assert stats.chisquare(batch.inputs[1:39, 0, :, 2:6].sum((0, 1)).numpy()).pvalue > 1e-5


def test_lengths_are_uniform() -> None:
    task = TemporalOrder(gap=50)
    batch = task.batch(torch.tensor([1]), "test", 0, 6000)
    counts = torch.bincount(task.answer_steps(batch, 0)[0] - 49, minlength=6)
    assert len(counts) == 6
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5


@every_kind
def test_shown(convention: str, ordered: int) -> None:
    task = TemporalOrder(gap=30, convention=convention, ordered=ordered)
    batch = task.batch(torch.tensor([5, 6]), "probe", 0, 8)
    items = task.shown(batch)
    number = torch.zeros_like(items[0].values)
    for item in items:
        seen = batch.inputs.gather(0, item.steps[None, ..., None].expand(-1, -1, -1, task.input_size))[0]
        assert torch.equal(seen[..., Y] == 1, item.values == 1)
        assert torch.equal(seen[..., X] == 1, item.values == 0)
        number = 2 * number + item.values
    assert torch.equal(number, answers(task, batch))


@every_kind
def test_chance_and_landmark_against_the_generator(convention: str, ordered: int) -> None:
    task, size, count = TemporalOrder(gap=20, convention=convention, ordered=ordered), 8_000, 2**ordered
    batch = task.batch(torch.tensor([4]), "test", 0, size)
    chance, classes = task.chance(), answers(task, batch)[0]
    always_first = torch.full((*batch.targets.shape[:3], count), -20.0)
    always_first[..., 0] = 20
    assert_share(task.metrics(always_first, batch)["accuracy"].item(), chance["accuracy"], size)
    one_hot = torch.nn.functional.one_hot(classes, count).double()
    neighbour = torch.nn.functional.one_hot(classes ^ 1, count)  # differs in the last symbol
    if convention == "pascanu2013":
        assert task.loss(torch.zeros(1, 1, size, count), batch).item() == pytest.approx(chance["loss"], rel=1e-5)
        known = torch.where((one_hot + neighbour) > 0, 0.0, -50.0)
        loss = task.loss(known.float()[None, None], batch).item()
        assert loss == pytest.approx(task.landmarks()["all but one symbol known"], rel=1e-5)
        assert chance["loss"] == pytest.approx(math.log(count))
        return
    assert_mean((one_hot - 1 / count).square().mean(-1), chance["loss"])
    assert_mean((one_hot - 0.5 * (one_hot + neighbour)).square().mean(-1), task.landmarks()["all but one symbol known"])
    assert_share(task.metrics(always_first, batch)["error_share"].item(), chance["error_share"], size)
    never = task.metrics(torch.full_like(always_first, -20), batch)
    assert never["mean_absolute_error"].item() == pytest.approx(chance["mean_absolute_error"], rel=1e-4)


def test_metrics_by_hand() -> None:
    task = TemporalOrder(gap=40)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    right = answers(task, batch)[0]
    said = batch.targets.clamp(0.1, 0.9)
    for sample, error in ((1, 0.29), (2, 0.31), (3, 0.95)):
        said[:, 0, sample, right[sample]] = 1 - error
    outputs = torch.logit(said)
    assert batch.weights is not None
    outputs[batch.weights == 0] = 7.0  # what is said on padding does not count
    metrics = task.metrics(outputs, batch)
    assert metrics["error_share"].item() == 0.5
    assert metrics["accuracy"].item() == 0.75
    errors = [0.1, 0.29, 0.31, 0.95]
    assert metrics["mean_absolute_error"].item() == pytest.approx((sum(errors) + 12 * 0.1) / 16, rel=1e-4)
    assert metrics["loss"].item() == pytest.approx((sum(e * e for e in errors) + 12 * 0.01) / 16, rel=1e-4)


def test_solved() -> None:
    metrics = {
        "error_share": torch.tensor([0.0, 0.0, 1 / 2560]),
        "mean_absolute_error": torch.tensor([0.099, 0.101, 0.01]),
        "accuracy": torch.tensor([1.0, 0.99, 0.991]),
    }
    assert TemporalOrder().solved(metrics).tolist() == [True, False, False]
    assert TemporalOrder(convention="pascanu2013").solved(metrics).tolist() == [True, False, True]


def test_least_gap() -> None:
    with pytest.raises(OptionError) as caught:
        TemporalOrder(gap=19)
    assert caught.value.key == "gap"
    for ordered in (2, 3):
        windows = TemporalOrder(gap=20, ordered=ordered).windows
        assert windows[0].start > 0  # behind the first symbol, E
        assert all(a.stop <= b.start for a, b in itertools.pairwise(windows))
