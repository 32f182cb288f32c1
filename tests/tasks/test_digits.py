from __future__ import annotations

import inspect
import math
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Digits, digits
from lrd.tasks.parts import PARTS, PROBED
from lrd.training import Pack

IMAGES, LABELS = load_digits(return_X_y=True)
#: Each image is another picture, so that what was drawn is known by its pixels.
NUMBER = {tuple(image): number for number, image in enumerate(IMAGES)}


def drawn(task: Digits, split: str, step: int, size: int, seed: int = 3) -> tuple[list[int], Tensor]:
    """Numbers of the images of a batch, and its targets; the pixels must stand in the order that the task says."""
    batch = task.batch(torch.tensor([seed]), split, step, size)
    steps = batch.inputs[:64, 0, :, 0].T.double().numpy() * 16
    pixels = np.empty_like(steps)
    pixels[:, list(task.order)] = steps
    assert (batch.inputs[64:] == 0).all()
    return [NUMBER[tuple(image)] for image in pixels], batch.targets[0, 0]


def everything(task: Digits, part: int) -> list[int]:
    """All images of a part, in its order."""
    split, step = [("train", 0), ("eval", 0), ("test", 0), *(("probe", k) for k in range(PROBED))][part]
    if split == "train":  # drawn with replacement: 20 times its size misses an image with probability 1000 e^-20
        return sorted(set(drawn(task, split, step, 20 * task.part_sizes[0])[0]))
    return drawn(task, split, step, task.part_sizes[part])[0]


def test_the_pictures_differ() -> None:
    assert len(NUMBER) == len(IMAGES) == 1797


@pytest.mark.parametrize("convention", ["sequential", "permuted"])
@pytest.mark.parametrize("gap", [0, 5])
def test_shows_an_image_of_scikit_learn_and_asks_for_its_class(convention: str, gap: int) -> None:
    task = Digits(gap=gap, convention=convention)
    for split in ("train", "eval", "test", "probe"):
        numbers, targets = drawn(task, split, 1, 7)
        assert [int(LABELS[number]) for number in numbers] == targets.tolist()
    assert task.sequence_length == 64 + gap
    assert task.loss_steps == range(63 + gap, 64 + gap)
    assert (task.smallest_lag, task.largest_lag) == (gap, 63 + gap)


def test_the_permutation_is_one_for_all_and_named_by_its_seed() -> None:
    orders = [Digits(convention="permuted", permutation_seed=seed).order for seed in range(20)]
    assert all(sorted(order) == list(range(64)) for order in orders)
    assert len(set(orders)) == 20
    assert Digits(convention="permuted", permutation_seed=7, gap=3).order == orders[7]
    assert Digits(permutation_seed=7).order == tuple(range(64))
    # A fair permutation leaves one of its places as it is, on average: 20 leave 20 +- sqrt(20).
    kept = sum(place == pixel for order in orders for place, pixel in enumerate(order))
    assert abs(kept - 20) < 4.5 * math.sqrt(20)


def test_parts_share_no_image_and_leave_none_out() -> None:
    task = Digits()
    parts = [everything(task, part) for part in range(PARTS)]
    assert tuple(map(len, parts)) == task.part_sizes
    assert sorted(number for part in parts for number in part) == list(range(1797))


def test_parts_are_stratified() -> None:
    """Of every 20 images of a class each part has the same number: it has that share, give or take one deal of 20."""
    of_class = Counter(LABELS.tolist())
    for part in range(PARTS):
        dealt = digits.DEALT.count(part)
        for label, count in Counter(LABELS[everything(Digits(), part)].tolist()).items():
            deals = of_class[label] // 20
            assert deals * dealt <= count <= (deals + 1) * dealt


@pytest.mark.parametrize(("split", "part"), [("eval", 1), ("test", 2)])
def test_an_evaluation_goes_through_its_part_and_starts_over(split: str, part: int) -> None:
    """As ``Pack.evaluate`` asks for its samples, in chunks of 256: each image once, then again; for every run."""
    assert inspect.signature(Pack.evaluate).parameters["chunk"].default == digits.STRIDE == 256
    task = Digits()
    size = task.part_sizes[part]
    assert 256 < size < 512
    numbers = drawn(task, split, 0, 256)[0] + drawn(task, split, 1, size - 256)[0]
    assert len(set(numbers)) == size
    again = drawn(task, split, 1, 256)[0]
    assert again[size - 256 :] == numbers[: 512 - size]
    assert drawn(task, split, 0, 256, seed=8)[0] == numbers[:256]


def test_training_draws_every_image_alike() -> None:
    task, size = Digits(), 40_000
    counts = Counter(drawn(task, "train", 2, size)[0])
    expected = size / task.part_sizes[0]
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = task.part_sizes[0] - 1
    assert len(counts) == task.part_sizes[0]
    assert abs(chi_square - freedom) < 4.5 * math.sqrt(2 * freedom)


def test_steps_may_differ_by_run() -> None:
    task, steps = Digits(gap=1), torch.tensor([4, 0, 11])
    for split in ("train", "eval", "probe"):
        together = task.batch(torch.tensor([1, 2, 3]), split, steps, 5)
        for run in range(3):
            alone = task.batch(torch.tensor([run + 1]), split, int(steps[run]), 5)
            assert torch.equal(together.inputs[:, run], alone.inputs[:, 0])
            assert torch.equal(together.targets[:, run], alone.targets[:, 0])


def test_chance_is_what_the_class_frequencies_score() -> None:
    task = Digits(gap=0)
    train, held = (Counter(LABELS[everything(task, part)].tolist()) for part in (0, 1))
    share = torch.tensor([train[label] / sum(train.values()) for label in range(10)])
    size = sum(held.values())
    batch = task.batch(torch.tensor([0]), "eval", 0, size)
    metrics = task.metrics(share.log().expand(1, 1, size, 10), batch)
    chance = task.chance()
    assert metrics["loss"].item() == pytest.approx(chance["loss"], rel=1e-5)
    assert metrics["accuracy"].item() == pytest.approx(chance["accuracy"], rel=1e-6)
    # No constant does better than the part's own frequencies, which stratification makes almost the same.
    best = -sum(n / size * math.log(n / size) for n in held.values())
    assert best < chance["loss"] < best + 1e-3


def test_metrics_by_hand() -> None:
    task = Digits(gap=0)
    batch = task.batch(torch.tensor([0, 1]), "eval", 0, 20)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, 10).float()
    outputs[0, 1, :3] = outputs[0, 1, :3].roll(1, -1)  # run 1 misses three of twenty
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["accuracy"], torch.tensor([1.0, 0.85]))
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.0, 6.0]))
    assert task.solved(metrics).tolist() == [True, False]


def test_shows_its_class_with_the_last_pixel() -> None:
    task = Digits(gap=4)
    batch = task.batch(torch.tensor([0, 1]), "probe", 0, 6)
    (item,) = task.shown(batch)
    assert torch.equal(item.values, batch.targets[0])
    assert (item.steps == 63).all()
    assert item.classes == 10


@pytest.mark.parametrize("answer", [None, ImportError("no")])
def test_without_scikit_learn_one_line_says_what_to_do(
    answer: ImportError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(name: str) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    with pytest.raises(OptionError, match=r"^digits needs scikit-learn: pip install 'lrd\[digits\]'$") as caught:
        Digits()
    assert caught.value.key == "name"
