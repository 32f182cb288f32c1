from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch

CONVENTIONS = ("arjovsky2016", "bai2018", "hochreiter1997", "pascanu2013")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


def places(batch: Batch) -> Tensor:
    """The two marked steps in order [runs, batch, 2]; exactly two steps carry the mark 1."""
    marked = (batch.inputs[..., 1] == 1).permute(1, 2, 0)  # [runs, batch, time]
    assert (marked.sum(-1) == 2).all()
    return marked.nonzero()[:, 2].reshape(*marked.shape[:2], 2)


def target(task: Adding, batch: Batch, run: int, sample: int) -> float:
    last = int(task.answer_steps(batch, 0)[run, sample])
    return float(batch.targets[last - task.loss_steps.start, run, sample, 0])


def saying(task: Adding, answers: Tensor) -> Tensor:
    """The readout's outputs before its O that give these answers."""
    return torch.logit(answers) if task.logistic else answers


@settings(max_examples=40)
@given(st.sampled_from(CONVENTIONS), st.integers(22, 60), st.integers(0, 2**40))
def test_each_sample_by_its_definition(convention: str, gap: int, seed: int) -> None:
    task = Adding(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    marked, last = places(batch), task.answer_steps(batch, -1)
    for run in range(2):
        for sample in range(6):
            first, second = sorted(marked[run, sample].tolist())
            length = int(last[run, sample]) + 1
            values, markers = batch.inputs[:, run, sample].unbind(-1)
            x1, x2 = float(values[first]), float(values[second])
            assert (values[length:] == 0).all()
            assert (markers[length:] == 0).all()
            assert task.smallest_lag <= length - 1 - second
            assert length - 1 - first <= task.largest_lag
            silent = [step for step in range(length) if step not in (first, second)]
            if convention == "hochreiter1997":
                assert gap <= length <= gap + gap // 10
                assert first < 10
                assert second < gap // 2 - 1
                assert target(task, batch, run, sample) == pytest.approx(0.5 + (x1 + x2) / 4, abs=1e-6)
                assert float(values.abs().max()) <= 1
                ends = {0, length - 1}
                assert all(markers[step] == (-1 if step in ends else 0) for step in silent)
                continue
            assert 0 <= float(values.min()) <= float(values.max()) < 1
            assert all(markers[step] == 0 for step in silent)
            if convention == "pascanu2013":
                assert gap <= length <= gap + gap // 10
                assert first < length // 10 <= second < length // 2
                assert target(task, batch, run, sample) == pytest.approx((x1 + x2) / 2, abs=1e-6)
            else:
                assert length == gap
                assert target(task, batch, run, sample) == pytest.approx(x1 + x2, abs=1e-6)
                if convention == "arjovsky2016":
                    assert first < gap // 2 <= second


@pytest.mark.parametrize(
    ("convention", "gap", "pairs"),
    [
        ("arjovsky2016", 5, [(first, second) for first in (0, 1) for second in (2, 3, 4)]),
        ("bai2018", 5, [(first, second) for first in range(5) for second in range(first + 1, 5)]),
        # The second number's place is one of the first ten but the first's own: 10 * 9 ordered pairs.
        ("hochreiter1997", 22, [(first, second) for first in range(10) for second in range(first + 1, 10)]),
        ("pascanu2013", 19, [(0, second) for second in range(1, 9)]),
    ],
)
def test_places_are_uniform(convention: str, gap: int, pairs: list[tuple[int, int]]) -> None:
    task = Adding(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([6]), "test", 0, 9000)
    marked = places(batch)[0]
    if convention == "pascanu2013":
        marked = marked[task.answer_steps(batch, 0)[0] == gap - 1]
        assert 4000 < len(marked) < 5000
    drawn = marked[:, 0] * gap + marked[:, 1]
    counts = [int((drawn == first * gap + second).sum()) for first, second in pairs]
    assert sum(counts) == len(marked)
    assert stats.chisquare(counts).pvalue > 1e-5


@pytest.mark.parametrize("convention", ["hochreiter1997", "pascanu2013"])
def test_lengths_are_uniform_and_differ_by_run(convention: str) -> None:
    task = Adding(gap=50, convention=convention)
    batch = task.batch(torch.tensor([1, 2]), "test", 0, 6000)
    last = task.answer_steps(batch, 0)
    assert not torch.equal(last[0], last[1])
    for run in last:
        counts = torch.bincount(run - 49, minlength=6)
        assert len(counts) == 6
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_fixed_lengths_carry_no_weights() -> None:
    for convention in ("arjovsky2016", "bai2018"):
        task = Adding(gap=30, convention=convention)
        batch = task.batch(torch.tensor([1]), "test", 0, 3)
        assert batch.weights is None
        assert (task.answer_steps(batch, 0) == 29).all()
        assert task.loss_steps == range(29, 30)


@pytest.mark.parametrize(
    ("convention", "least", "lags"),
    [
        ("arjovsky2016", 2, (0, 1)),
        ("bai2018", 2, (0, 1)),
        ("hochreiter1997", 22, (12, 23)),
        ("pascanu2013", 10, (5, 10)),
    ],
)
def test_least_gap(convention: str, least: int, lags: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match=f">= {least} for convention {convention}") as caught:
        Adding(gap=least - 1, convention=convention)
    assert caught.value.key == "gap"
    task = Adding(gap=least, convention=convention)
    assert (task.smallest_lag, task.largest_lag) == lags
    batch = task.batch(torch.tensor([0]), "train", 0, 500)
    seen = task.answer_steps(batch, 0)[..., None] - places(batch)
    assert (int(seen.min()), int(seen.max())) == lags  # small enough that 500 samples show both ends


@every_convention
def test_chance_and_landmark_against_the_generator(convention: str) -> None:
    task, size = Adding(gap=30, convention=convention), 20_000
    batch = task.batch(torch.tensor([4]), "test", 0, size)
    scaled = convention in ("hochreiter1997", "pascanu2013")
    centre = 0.5 if scaled else 1.0
    metrics, chance = task.metrics(saying(task, torch.full_like(batch.targets, centre)), batch), task.chance()
    assert chance["loss"] == pytest.approx(1 / 24 if scaled else 1 / 6)
    last = task.answer_steps(batch, 0)[0] - task.loss_steps.start
    errors = batch.targets[last, 0, torch.arange(size), 0] - centre
    spread = {
        "loss": float(errors.square().std()),
        "mean_absolute_error": float(errors.abs().std()),
        "error_share": math.sqrt(chance["error_share"] * (1 - chance["error_share"])),
    }
    assert metrics.keys() == spread.keys()
    for key, deviation in spread.items():
        assert abs(metrics[key].item() - chance[key]) < 4.5 * deviation / math.sqrt(size), key
    # Knowing the number marked first, as a feature of a linear fit, leaves the variance of the other.
    first = places(batch)[0, :, 0]
    known = batch.inputs[first, 0, torch.arange(size), 0]
    features = torch.stack((known, torch.ones(size)), 1)
    fitted = features @ torch.linalg.lstsq(features, errors[:, None]).solution
    residual = (errors - fitted[:, 0]).square()
    landmark = task.landmarks()["one number known"]
    assert landmark == pytest.approx(chance["loss"] / 2)
    assert abs(float(residual.mean()) - landmark) < 4.5 * float(residual.std()) / math.sqrt(size)


def test_no_constant_beats_the_centre() -> None:
    task = Adding(gap=10)
    batch = task.batch(torch.tensor([4]), "test", 0, 20_000)
    for constant in (0.8, 0.9, 1.1, 1.2):
        metrics = task.metrics(torch.full_like(batch.targets, constant), batch)
        assert all(metrics[key].item() > level for key, level in task.chance().items())


@pytest.mark.parametrize(
    ("convention", "wrong", "right"),
    [
        ("arjovsky2016", 0.21, 0.19),
        ("bai2018", 0.21, 0.19),
        ("pascanu2013", 0.21, 0.19),
        ("hochreiter1997", 0.041, 0.039),
    ],
)
def test_metrics_by_hand(convention: str, wrong: float, right: float) -> None:
    task = Adding(gap=40, convention=convention)
    batch = task.batch(torch.tensor([3]), "eval", 0, 4)
    said = batch.targets + torch.tensor([wrong, -wrong, right, -right])[None, None, :, None]
    outputs = saying(task, said)
    assert outputs.isfinite().all()
    if batch.weights is not None:
        outputs[batch.weights == 0] = 1e6  # what is said on padding does not count
    metrics = task.metrics(outputs, batch)
    assert metrics["error_share"].item() == 0.5
    assert metrics["mean_absolute_error"].item() == pytest.approx((wrong + right) / 2, rel=1e-4)
    assert metrics["loss"].item() == pytest.approx((wrong**2 + right**2) / 2, rel=1e-4)
    torch.testing.assert_close(task.loss(outputs, batch), metrics["loss"])


def test_solved_after_pascanu_and_after_hochreiter() -> None:
    metrics = {
        "error_share": torch.tensor([0.0, 0.009, 0.01, 0.0, 0.0005]),
        "mean_absolute_error": torch.tensor([0.009, 0.009, 0.009, 0.011, 0.005]),
    }
    for convention in ("arjovsky2016", "bai2018", "pascanu2013"):
        assert Adding(convention=convention).solved(metrics).tolist() == [True, True, False, True, True]
    assert Adding(convention="hochreiter1997").solved(metrics).tolist() == [True, False, False, False, False]


def test_quiet_steps_are_the_lags_that_every_sample_has() -> None:
    assert Adding(gap=30).quiet_steps == range(29)
    assert Adding(gap=30, convention="pascanu2013").quiet_steps == range(18, 32)  # answered at 29 to 32, marked to 14
    assert Adding(gap=30, convention="hochreiter1997").quiet_steps == range(17, 32)  # marked up to 13
