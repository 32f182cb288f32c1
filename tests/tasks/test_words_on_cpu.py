"""Random words in machine code are those of torch's integers, bit for bit, and a plain SplitMix64's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrd.shapes import Tensor
from lrd.tasks import words_on_cpu
from lrd.tasks.streams import ASIDES, MAX_STEP, SPLITS, Stream

pytest.importorskip("numba")
MODULO = 2**64


def of_torch(call: Callable[[], list[Tensor]]) -> list[Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words_on_cpu, "words", lambda: None)
        patch.setattr(words_on_cpu, "uniform", lambda: None)
        return call()


def splitmix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % MODULO
    z = (z ^ z >> 27) * 0x94D049BB133111EB % MODULO
    return z ^ z >> 31


@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
    split=st.sampled_from(list(SPLITS)),
    step=st.integers(0, MAX_STEP - 1),
    count=st.integers(1, 40),
)
def test_words_are_those_of_plain_integers(seeds: list[int], split: str, step: int, count: int) -> None:
    golden = 0x9E3779B97F4A7C15
    found = Stream(torch.tensor(seeds), split, step)._words((count,))
    for run, seed in enumerate(seeds):
        key = splitmix(splitmix((seed * golden + 1) % MODULO))
        start = (SPLITS[split] << 62) + (step << 32)
        words = [splitmix(splitmix(((place + start) * golden + key) % MODULO)) for place in range(count)]
        assert [word % MODULO for word in found[run].tolist()] == words


@given(
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
    split=st.sampled_from(list(SPLITS)),
    aside=st.sampled_from([None, *ASIDES]),
    step=st.integers(0, MAX_STEP - 10),
    of_each=st.booleans(),
)
def test_all_draws_are_those_of_torch(
    seeds: list[int], split: str, aside: str | None, step: int, of_each: bool
) -> None:
    def draws() -> list[Tensor]:
        steps = step + torch.arange(len(seeds)) if of_each else step
        stream = Stream(torch.tensor(seeds), split, steps, aside)
        some = [stream.uniform(3, 5), stream.uniform(7, dtype=torch.float64), stream.integers(10, 2, 3)]
        return [*some, stream.sixteen_bits(5, 3), stream.normal(9), stream.uniform(2)]

    for mine, theirs in zip(draws(), of_torch(draws), strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.equal(mine, theirs)


def test_a_step_has_no_more_words_than_its_places() -> None:
    stream = Stream(torch.tensor([0]), "train", 0, aside="dropout")
    stream._place = stream._end - 2
    with pytest.raises(ValueError, match="no more than 2 words left"):
        stream.uniform(3)
    assert stream.uniform(2).shape == (1, 2)
