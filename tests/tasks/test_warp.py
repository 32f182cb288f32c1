from __future__ import annotations

import itertools
import math
from collections import defaultdict
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import SIGMAS, assert_mean
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Batch, Warp
from lrd.tasks.base import over_scored_steps

CONVENTIONS = ("variable", "uniform", "variable_padded", "uniform_padded")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)
SEEDS = torch.tensor([3])


def letters(inputs: Tensor) -> list[int | None]:
    """Return the character at each step of one sample, from 0; None where there is none."""
    assert set(inputs.sum(-1).tolist()) <= {0.0, 1.0}
    return [row.index(1.0) if 1.0 in row else None for row in inputs.tolist()]


def runs_of(shown: list[int | None]) -> list[tuple[int, int, int]]:
    """Return character, first step and number of steps, in order: a character lasts until another one comes."""
    found: list[tuple[int, int, int]] = []
    for t, letter in enumerate(shown):
        if letter is not None and (not found or letter != found[-1][0]):
            found.append((letter, t, 1))
        else:
            character, first, steps = found[-1]
            found[-1] = (character, first, steps + 1)
    return found


@settings(max_examples=40)
@given(st.sampled_from(CONVENTIONS), st.integers(1, 9), st.integers(1, 40), st.integers(4, 7), st.integers(0, 2**40))
def test_the_previous_character_is_asked_for(convention: str, gap: int, more: int, alphabet: int, seed: int) -> None:
    task = Warp(gap=gap, convention=convention, length=gap + more, alphabet=alphabet)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 4)
    (item,) = task.shown(batch)
    for run, sample in itertools.product(range(2), range(4)):
        shown, targets = letters(batch.inputs[:, run, sample]), batch.targets[:, run, sample].tolist()
        found = runs_of(shown)
        steps = [n for _, _, n in found]
        assert sum(steps) == task.length
        assert set(steps[:-1]) <= ({gap} if task.is_uniform else set(range(1, gap + 1)))
        assert 1 <= steps[-1] <= gap
        answers, previous = [], 0
        for k, (letter, first, n) in enumerate(found):
            asked = range(first, first + (1 if task.is_padded else n))
            assert shown[first : first + n] == [letter if t in asked else None for t in range(first, first + n)]
            for t in range(first, first + n):
                assert targets[t] == (previous if t in asked else 0)
                assert batch.weights is None or bool(batch.weights[t, run, sample]) == (t in asked)
            # The step that showed the previous character for the last time.
            before = found[k - 1][1] + (0 if task.is_padded else found[k - 1][2] - 1)
            answers += [(t, previous - 1, before) for t in asked if k > 0]
            previous = letter + 1
        assert len(answers) >= task.answers
        for answer, (step, _, before) in zip(range(-task.answers, 0), answers[-task.answers :], strict=True):
            for number in (answer, answer + task.answers):
                assert int(task.answer_steps(batch, number)[run, sample]) == step
            assert task.smallest_lag <= step - before <= task.largest_lag
        _, character, before = answers[-1]
        assert int(item.values[run, sample]) == character
        assert int(item.steps[run, sample]) == before
    for answer in (task.answers, -task.answers - 1):
        with pytest.raises(IndexError):
            task.answer_steps(batch, answer)


def test_the_example_of_the_paper_has_the_lags_that_it_should() -> None:
    """Uniform, four steps each: each character is asked for while the next one lasts."""
    task = Warp(gap=4, convention="uniform", length=40)
    batch = task.batch(SEEDS, "train", 0, 1)
    text = [letter for letter in letters(batch.inputs[:, 0, 0]) if letter is not None]
    assert text[::4] == text[1::4] == text[2::4] == text[3::4]
    assert batch.targets[:, 0, 0].tolist() == [0] * 4 + [letter + 1 for letter in text[:-4]]


@every_convention
def test_characters_and_their_steps_are_uniform_and_independent(convention: str) -> None:
    task, size = Warp(gap=3, convention=convention, length=13, alphabet=5), 9000
    batch = task.batch(SEEDS, "test", 0, size)
    counts: dict[tuple[int, ...], int] = defaultdict(int)
    for sample in range(size):
        (a, _, n), (b, _, m), (c, _, _), *_ = runs_of(letters(batch.inputs[:, 0, sample]))
        counts[(a, b, c, n, m)] += 1
    kinds = 4 * 3 * 3 * (1 if task.is_uniform else 9)  # no neighbours are the same
    assert len(counts) == kinds
    assert stats.chisquare(list(counts.values())).pvalue > 1e-5


@pytest.mark.parametrize(("length", "gap"), [(2, 1), (5, 2), (7, 3), (9, 4)])
def test_likelihoods_and_chance_by_listing_all_sequences(length: int, gap: int) -> None:
    """Every way to give a character its steps, as fractions; of the texts there are as many for each."""
    listed: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for steps in itertools.product(range(1, gap + 1), repeat=length):
        left, cut = length, []
        for n in steps:
            if left > 0:
                cut.append(min(n, left))
                left -= n
        listed[tuple(cut)] += Fraction(1, gap**length)
    task, padded = (Warp(gap=gap, length=length, convention=c, alphabet=6) for c in ("variable", "variable_padded"))
    texts = {m: 5 * 4 ** (m - 1) for m in range(1, length + 1)}
    for kind in (task, padded):
        assert kind.likelihoods is not None
        found: dict[int, float] = defaultdict(float)
        for share, log_p in kind.likelihoods:
            found[round(1e6 * log_p)] += share
        expected: dict[int, float] = defaultdict(float)
        for cut, p in listed.items():
            expected[round(1e6 * math.log(p / texts[len(cut)]))] += float(p)
        assert dict(found) == pytest.approx(dict(expected), rel=1e-12)
    first = float(sum(p * Fraction(cut[0], length) for cut, p in listed.items()))
    first_padded = float(sum(p * Fraction(1, len(cut)) for cut, p in listed.items()))
    for kind, f in ((task, first), (padded, first_padded)):
        shares = [f] + 4 * [(1 - f) / 4]
        entropy = -math.fsum(p * math.log(p) for p in shares)
        assert kind.chance() == pytest.approx({"loss": entropy, "accuracy": max(shares)}, rel=1e-12)


def test_chance_of_uniform_warpings() -> None:
    assert Warp(gap=100, convention="uniform").chance() == pytest.approx(
        {"loss": -0.2 * math.log(0.2) - 0.8 * math.log(0.1), "accuracy": 0.2}
    )
    assert Warp(gap=99, convention="uniform_padded").chance() == pytest.approx(  # six characters
        {"loss": math.log(6) / 6 + 5 / 6 * math.log(8 * 6 / 5), "accuracy": 1 / 6}
    )


@every_convention
def test_chance_against_the_generator(convention: str) -> None:
    """The best answer to each character, counted in other sequences, costs no more than the closed form and no less."""
    task, size = Warp(gap=5, convention=convention, length=24, alphabet=5), 4000
    counted, batch = (task.batch(SEEDS, split, 0, size) for split in ("train", "test"))
    table = torch.zeros(4, 5, dtype=torch.float64)
    for present, target, weight in zip(*_scored(counted), strict=True):
        table[present, target] += weight
    table /= table.sum(1, keepdim=True)
    outputs = (batch.inputs.double() @ table).clamp(min=1e-30).log().float()
    weights = torch.ones(batch.targets.shape) if batch.weights is None else batch.weights
    losses = over_scored_steps(task.losses(outputs, batch.targets), weights)
    chance = task.chance()
    # Counted probabilities of 4 x 4 free numbers cost 16 / 2n nats where n steps were counted, of 4000 or more.
    error = float(losses.std()) / size**0.5
    assert -SIGMAS * error < float(losses.mean()) - chance["loss"] < SIGMAS * error + 8 / size
    assert task.metrics(outputs, batch)["loss"].item() == pytest.approx(float(losses.mean()), rel=1e-5)
    dummy = torch.eye(5)[0].expand(*batch.targets.shape, 5)
    other = torch.tensor([-1.0, 0.0, 0.0, 0.0, 0.0]) - torch.nn.functional.pad(batch.inputs, (1, 0))
    levels = []
    for said in (dummy, other):  # the dummy, or the first character that is not the present one
        right = over_scored_steps((said.argmax(-1) == batch.targets).float(), weights)
        levels.append(float(right.mean()))
        if levels[-1] == max(levels):
            best = right
    assert_mean(best, chance["accuracy"])


def _scored(batch: Batch) -> tuple[list[int], list[int], list[float]]:
    """Return present character, target and weight in the loss of all scored steps."""
    weights = torch.ones(batch.targets.shape) if batch.weights is None else batch.weights
    scored = weights > 0
    each = (weights / weights.sum(0)).double()
    return batch.inputs.argmax(-1)[scored].tolist(), batch.targets[scored].tolist(), each[scored].tolist()


def test_metrics_by_hand() -> None:
    for convention, per_sample in (("uniform", 12), ("uniform_padded", 4)):
        task = Warp(gap=3, convention=convention, length=12)
        batch = task.batch(torch.tensor([0, 1, 2]), "eval", 0, 2)
        outputs = 40 * torch.nn.functional.one_hot(batch.targets, 10).float()
        last = int(task.answer_steps(batch, -1)[1, 0])
        outputs[last, 1, 0] = outputs[last, 1, 0].roll(1)  # run 1 misses one
        outputs[:, 2] = torch.nan
        metrics = task.metrics(outputs, batch)
        wrong = 1 / (2 * per_sample)
        torch.testing.assert_close(metrics["accuracy"][:2], torch.tensor([1.0, 1 - wrong]))
        torch.testing.assert_close(metrics["loss"][:2], torch.tensor([0.0, 40 * wrong]))
        assert task.solved(metrics).tolist() == [True, False, False]


def test_padding_is_nothing_and_not_scored() -> None:
    task = Warp(gap=4, convention="uniform_padded", length=10)
    batch = task.batch(SEEDS, "train", 0, 2)
    assert batch.weights is not None
    assert batch.weights[:, 0, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert torch.equal(batch.inputs.sum(-1), batch.weights)


def test_geometry() -> None:
    with pytest.raises(OptionError, match=r"^must be < length, 20, got 20$"):
        Warp(gap=20, length=20)
    with pytest.raises(OptionError, match=r"^must be >= 4, got 3$"):
        Warp(alphabet=3)  # of two characters the previous one is always the other
    assert (Warp().input_size, Warp().output_size, Warp().sequence_length) == (9, 10, 500)
    lags = {c: (Warp(gap=7, convention=c).smallest_lag, Warp(gap=7, convention=c).largest_lag) for c in CONVENTIONS}
    assert lags == {"variable": (1, 7), "uniform": (1, 7), "variable_padded": (1, 7), "uniform_padded": (7, 7)}
    assert [Warp(gap=7, convention=c).answers for c in CONVENTIONS] == [493, 493, 71, 71]


def test_quiet_steps() -> None:
    assert Warp(gap=100, convention="uniform").quiet_steps == range(399, 499)
    assert Warp(gap=90, convention="uniform").quiet_steps == range(449, 499)  # the last character lasts for 50 steps
    assert Warp(gap=83, convention="uniform").quiet_steps == range(499)  # for 2
    assert Warp(gap=100, convention="uniform_padded").quiet_steps == range(399, 499)
    assert Warp(gap=2, convention="uniform_padded").quiet_steps == range(1, 499)
    assert Warp(gap=20).quiet_steps == range(499)
    assert Warp(gap=20, convention="variable_padded").quiet_steps == range(19, 499)
