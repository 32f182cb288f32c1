"""How often sequences come again, against counting, for every task with few of them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from cases_of_tasks import KINDS, Kind
from sampled import assert_mean

from lrd.shapes import Tensor
from lrd.tasks import (
    Adding,
    ContinualReber,
    Copy,
    Counting,
    Delay,
    Digits,
    Latch,
    LongLag,
    Memorisation,
    Permutation,
    Reber,
    SelectiveCopy,
    SpikeDelays,
    Task,
    TemporalOrder,
    Text,
    ThirdSpike,
    VariableCopy,
    Warp,
)
from lrd.tasks.overlap import alike, log10_number, seen_among, seen_share

SMALL: list[tuple[Task, float | None]] = [
    (Copy(gap=3, items=3, symbols=3), 27),
    (Copy(gap=2, items=2, symbols=4, convention="bai2018"), 16),
    (Memorisation(gap=4), 32),
    (VariableCopy(gap=3, items=2, symbols=3), 27),
    (VariableCopy(gap=3, items=2, symbols=3, least_blanks=1), 27),
    (SelectiveCopy(gap=2, items=2, symbols=2), 24),
    (Permutation(gap=3, symbols=5), 18),
    (Latch(gap=5, noise=0.0), 2),
    (Delay(gap=2, tokens=1, alphabet=3), 27),
    (LongLag(gap=9), 2),
    (LongLag(gap=3, convention="random_middle"), 8),
    (LongLag(gap=2, convention="very_long", distractors=1), 2 * 65),
    (LongLag(gap=2, convention="very_long", distractors=2), None),
    (Reber(gap=5), None),
    (ContinualReber(gap=5, strings=2), None),
    (Warp(gap=2, length=3, alphabet=4, convention="uniform"), 6),
    (Warp(gap=2, length=4, alphabet=4, convention="uniform_padded"), 6),
    (Warp(gap=2, length=3, alphabet=4), 24),
    (Warp(gap=3, length=4, alphabet=4, convention="variable_padded"), None),
    (Counting(gap=7), 7),
    (Counting(gap=9, least=4, convention="anbncn"), 6),
    (SpikeDelays(gap=3, spread=2, intervals=3), 27),
    (SpikeDelays(gap=3, spread=5, offsets="ends", intervals=4), 16),
    (ThirdSpike(gap=2, spread=2, room=3), 7 + 5 + 3),
]
of_small = pytest.mark.parametrize("task", [task for task, _ in SMALL], ids=str)


def drawn(task: Task, split: str, seeds: Tensor, size: int) -> list[list[bytes]]:
    """The sequences of each run, as the network is shown them."""
    inputs = task.batch(seeds, split, 3, size).inputs.permute(1, 2, 0, 3) + 0.0  # no -0
    return [[sequence.numpy().tobytes() for sequence in run.contiguous()] for run in inputs]


@pytest.mark.parametrize(("task", "number"), [(t, n) for t, n in SMALL if n is not None], ids=str)
def test_there_are_as_many_as_are_drawn(task: Task, number: float) -> None:
    assert task.log10_sequences == pytest.approx(math.log10(number), abs=1e-12)
    (found,) = drawn(task, "train", torch.tensor([1]), 4000)
    if not (isinstance(task, LongLag) and task.convention == "very_long"):  # whose longest one never meets
        assert len(set(found)) == number


@of_small
def test_likelihoods_are_those_of_the_generator(task: Task) -> None:
    """The probability that two sequences are the same, and that shares add up."""
    likelihoods = task.likelihoods
    assert likelihoods is not None
    assert math.fsum(share for share, _ in likelihoods) == pytest.approx(1, abs=1e-9)
    same = math.fsum(share * math.exp(log_p) for share, log_p in likelihoods)
    (run,) = drawn(task, "train", torch.tensor([7]), 8000)
    counts = np.array(list(Counter(run).values()), dtype=float)
    found = float((counts * (counts - 1)).sum() / (8000 * 7999))
    # The variance of an unbiased estimate of sum p^2 is at most 4 (sum p^3 - (sum p^2)^2) / n + 2 sum p^2 / n^2.
    cubes = math.fsum(share * math.exp(2 * log_p) for share, log_p in likelihoods)
    error = math.sqrt(4 * max(cubes - same**2, 0) / 8000 + 2 * same / 8000**2)
    assert abs(found - same) < 5 * error + 1e-9


@of_small
@pytest.mark.parametrize("sequences", [1, 7, 40])
def test_the_share_seen_is_what_counting_gives(task: Task, sequences: int) -> None:
    seeds = torch.arange(400)
    train, test = (drawn(task, split, seeds, size) for split, size in (("train", sequences), ("test", 10)))
    shares = [np.mean([s in set(mine) for s in others]) for mine, others in zip(train, test, strict=True)]
    expected = task.seen_share(sequences)
    assert expected is not None
    if np.ptp(shares) > 0:
        assert_mean(torch.tensor(np.array(shares)), expected)
    else:
        assert abs(shares[0] - expected) < 0.01


@pytest.mark.parametrize("convention", ["hochreiter1997", "pascanu2013"])
@pytest.mark.parametrize("ordered", [2, 3])
def test_temporal_order_by_the_likelihood_of_each_sequence(convention: str, ordered: int) -> None:
    """Too many to meet twice: each sequence's probability is worked out from what it shows."""
    task = TemporalOrder(gap=22, convention=convention, ordered=ordered)
    batch = task.batch(torch.tensor([1]), "train", 0, 50)
    by_length = dict(zip(range(22, task.sequence_length + 1), task.likelihoods, strict=True))
    for sample in range(50):
        shown = batch.inputs[:, 0, sample]
        length = int(shown.sum())
        distractors = int(shown[:, 2:6].sum())
        log_p = -distractors * math.log(4) - ordered * math.log(2) - math.log(len(by_length))
        log_p -= sum(math.log(len(window)) for window in task.windows)
        assert by_length[length][1] == pytest.approx(log_p)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_task_of_lrd_says_how_much_training_has_shown(kind: Kind) -> None:
    task = kind.of_gap(22)
    shares = [task.seen_share(n) for n in (0, 1, 10**3, 10**6)]
    assert shares[0] == 0
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_real_numbers_never_come_again() -> None:
    assert Adding(gap=5).seen_share(10**6) == 0
    assert Adding(gap=5).log10_sequences == math.inf
    assert Latch(gap=5).seen_share(10**6) == 0


def test_by_hand() -> None:
    assert seen_share(alike(math.log(4)), 2) == pytest.approx(7 / 16)
    assert seen_share([(0.5, math.log(0.5)), (0.5, math.log(0.25))], 1) == pytest.approx(0.5 * 0.5 + 0.5 * 0.25)
    assert seen_share(alike(0.0), 1) == 1
    assert seen_share(alike(0.0), 0) == 0
    assert seen_share(alike(40 * math.log(10)), 10**6) == pytest.approx(1e-34)
    assert log10_number([(0.5, math.log(0.5)), (0.5, math.log(0.25))]) == pytest.approx(math.log10(3))


def test_real_data_against_counting() -> None:
    assert seen_among(np.array([1, 1, 2, 3]), np.array([1, 2, 9, 9]), 2) == pytest.approx((3 / 4 + 7 / 16) / 4)
    assert seen_among(np.array([1]), np.array([1, 2]), 1) == 0.5
    assert seen_among(np.array([1]), np.array([1, 2]), 0) == 0


def test_windows_of_a_text_against_counting() -> None:
    task = Text(gap=3)
    codes, (train, _, test) = task._corpus.codes(task.least), task._corpus.parts[:3]
    windows = [[tuple(codes[t : t + 3]) for t in range(part.start, part.stop - 3)] for part in (train, test)]
    counts, n = Counter(windows[0]), 5000
    expected = np.mean([1 - (1 - counts[window] / len(windows[0])) ** n for window in windows[1]])
    assert task.seen_share(n) == pytest.approx(expected, rel=1e-9)
    assert 0.5 < task.seen_share(n) < 1
    assert Text(gap=100).seen_share(10**9) < 0.2


def test_parts_of_the_digits_share_no_image() -> None:
    assert Digits().seen_share(10**9) == 0
