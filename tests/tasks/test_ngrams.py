from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.tasks.ngrams import probabilities


def plain(train: str, context: str, symbol: str, alphabet: str) -> float:
    """Witten & Bell's method C by counting substrings."""
    order = len(context) + 1
    grams = Counter(train[k : k + order] for k in range(len(train) - order + 1))
    followed = {gram: n for gram, n in grams.items() if gram[:-1] == context}
    lower = 1 / len(alphabet) if not context else plain(train, context[1:], symbol, alphabet)
    total = sum(followed.values())
    if not total:
        return 1 / len(alphabet) if not context else lower
    return (followed.get(context + symbol, 0) + len(followed) * lower) / (total + len(followed))


@given(st.text("abc", min_size=4, max_size=30), st.text("abcd", min_size=1, max_size=8), st.integers(1, 3))
def test_against_counted_substrings(train: str, held: str, order: int) -> None:
    text, alphabet = train + held, "abcd"
    codes = np.array([alphabet.index(s) for s in text])
    places = np.arange(len(train), len(text))
    found = probabilities(codes, range(len(train)), places, order, 4)
    expected = [plain(train, text[p - order + 1 : p], text[p], alphabet) for p in places]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_each_context_has_a_distribution(order: int) -> None:
    codes = np.random.default_rng(0).integers(0, 3, 200)  # symbol 3 never comes
    for context in ([0, 1], [3, 3], [2, 3], [3, 1]):
        sums = 0.0
        for symbol in range(4):
            asked = np.array([*codes, *context, symbol])
            sums += probabilities(asked, range(200), np.array([202]), order, 4)[0]
        assert sums == pytest.approx(1, rel=1e-12)


def test_on_much_text_the_loss_is_the_entropy_of_the_counts() -> None:
    """Smoothing divides a probability by (n + kinds) / n at most: the loss rises by kinds / n, summed over contexts."""
    rng = np.random.default_rng(1)
    codes = rng.choice(3, size=30_000, p=(0.5, 0.3, 0.2))
    n = len(codes)
    counts = Counter(codes.tolist())
    entropy = -math.fsum(c / n * math.log(c / n) for c in counts.values())
    loss = -np.log(probabilities(codes, range(n), np.arange(n), 1, 3)).mean()
    assert entropy < loss < entropy + 3 / n
    pairs, firsts = Counter(itertools.pairwise(codes)), Counter(codes[:-1].tolist())
    conditional = -math.fsum(c / (n - 1) * math.log(c / firsts[a]) for (a, _), c in pairs.items())
    loss = -np.log(probabilities(codes, range(n), np.arange(1, n), 2, 3)).mean()
    assert conditional < loss < conditional + 3 * 3 / (n - 1)


def test_what_was_not_counted_changes_nothing() -> None:
    codes = np.array([0, 1, 0, 1, 2, 2, 0, 1, 1, 0])
    some = probabilities(codes, range(2, 8), np.array([8, 9]), 2, 3)
    np.testing.assert_array_equal(some, probabilities(codes[2:], range(6), np.array([6, 7]), 2, 3))
