from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.tasks.streams import _GOLDEN, MAX_STEP, SPLITS, Stream, _mix

SEEDS = torch.tensor([0, 1, 2, 12345, -7])
seeds = st.integers(-(2**63), 2**63 - 1)
steps = st.integers(0, MAX_STEP - 1)
splits = st.sampled_from(sorted(SPLITS))


def test_mixer_is_splitmix64() -> None:
    # The first outputs of the published generator started from 0.
    words = _mix(torch.tensor([1, 2, 3]) * _GOLDEN)
    assert [word % 2**64 for word in words.tolist()] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@settings(max_examples=30)
@given(seeds, splits, steps)
def test_draws_are_pure_and_take_the_next_places(seed: int, split: str, step: int) -> None:
    whole = Stream(torch.tensor([seed]), split, step).uniform(24)
    stream = Stream(torch.tensor([seed]), split, step)
    parts = [stream.uniform(2, 4), stream.uniform(16)]
    assert parts[0].shape == (1, 2, 4)
    assert torch.equal(whole, torch.cat([part.reshape(1, -1) for part in parts], 1))
    assert not torch.equal(parts[1][:, :8], parts[0].reshape(1, 8))


@settings(max_examples=30)
@given(st.lists(seeds, min_size=1, max_size=5), splits, steps)
def test_companions_do_not_matter(pack: list[int], split: str, step: int) -> None:
    together = Stream(torch.tensor(pack), split, step)._words((7,))
    for run, seed in enumerate(pack):
        assert torch.equal(together[run : run + 1], Stream(torch.tensor([seed]), split, step)._words((7,)))


def test_a_step_for_each_run() -> None:
    own_steps = torch.tensor([3, 0, 7, 7, MAX_STEP - 1])
    together = Stream(SEEDS, "test", own_steps)._words((11,))
    for run in range(5):
        alone = Stream(SEEDS[run : run + 1], "test", int(own_steps[run]))._words((11,))
        assert torch.equal(together[run : run + 1], alone)


@pytest.mark.parametrize("step", [-1, MAX_STEP])
def test_steps_that_would_reach_another_split_are_refused(step: int) -> None:
    with pytest.raises(ValueError, match="step must be"):
        Stream(SEEDS, "train", step)


def test_no_word_is_seen_twice_in_any_split_or_step() -> None:
    # For one seed the words are a bijection of their counters, so that one repeated word is one shared counter.
    places = [
        Stream(torch.tensor([5]), split, step)._words((5000,)).flatten()
        for split in SPLITS
        for step in (0, 1, 2, MAX_STEP - 1)
    ]
    words = torch.cat(places)
    assert len(words) == 80_000
    assert len(words.unique()) == len(words)


@pytest.mark.parametrize("below", [2, 7, 256])
def test_integers_are_uniform(below: int) -> None:
    drawn = Stream(SEEDS, "train", 3).integers(below, 40_000)
    assert drawn.dtype == torch.int64
    for run in drawn:
        counts = torch.bincount(run, minlength=below)
        assert len(counts) == below
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_integers_below_a_tensor() -> None:
    below = torch.tensor([1, 5, 1000])[:, None]
    drawn = Stream(SEEDS, "train", 0).integers(below, 3, 5000)
    assert (drawn[:, 0] == 0).all()
    assert drawn[:, 1].unique().tolist() == [0, 1, 2, 3, 4]
    assert 0 <= int(drawn[:, 2].min()) < 5
    assert 995 <= int(drawn[:, 2].max()) < 1000


def test_uniform_fills_its_grid() -> None:
    drawn = Stream(SEEDS, "eval", 9).uniform(40_000)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < 1e-4
    assert 1 - 1e-4 < float(drawn.max()) < 1
    assert torch.equal(drawn.double() * 2**24, (drawn.double() * 2**24).round())
    for run in drawn:
        counts = torch.histc(run, 64, 0, 1)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-5


def test_neighbours_are_uncorrelated() -> None:
    # The same places for neighbouring seeds, steps and splits, and neighbouring places of one draw.
    count = 40_000
    base = Stream(torch.tensor([0, 1]), "train", 0).uniform(count, dtype=torch.float64)
    others = [
        base[1],
        Stream(torch.tensor([0]), "train", 1).uniform(count, dtype=torch.float64)[0],
        Stream(torch.tensor([0]), "eval", 0).uniform(count, dtype=torch.float64)[0],
        base[0].roll(1),
    ]
    for other in others:
        correlation = torch.corrcoef(torch.stack((base[0], other)))[0, 1]
        assert abs(float(correlation)) < 4.5 / count**0.5


def test_each_bit_is_fair() -> None:
    words = Stream(torch.tensor([11]), "probe", 2)._words((20_000,))[0]
    ones = torch.stack([(words >> bit) & 1 for bit in range(64)]).double().mean(1)
    assert float((ones - 0.5).abs().max()) < 4.5 * 0.5 / 20_000**0.5


def test_normal_is_normal() -> None:
    drawn = Stream(SEEDS, "train", 1).normal(20_000, dtype=torch.float64)
    for run in drawn:
        assert stats.kstest(run.numpy(), "norm").pvalue > 1e-5
    assert Stream(SEEDS, "train", 1).normal(4).dtype == torch.float32
