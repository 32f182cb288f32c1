"""Paired comparisons by hand, by all sign patterns, and against scipy where it is exact."""

from __future__ import annotations

from itertools import product
from math import comb, inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from lrd.stats import paired, worst_of

#: Darwin's 15 pairs of maize, crossed minus self-fertilised, eighths of an inch (Fisher, Design of Experiments, 1935).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def test_darwins_maize() -> None:
    """By hand: ranks of |d| are those of the sorted list; the two negative ones, 48 and 67, are 10 and 14 of 120."""
    found = paired(DARWIN, np.zeros(15))
    assert (found.greater, found.less, found.equal) == (13, 2, 0)
    assert found.p_sign == pytest.approx(2 * (comb(15, 0) + comb(15, 1) + comb(15, 2)) / 2**15)
    assert found.effect == pytest.approx((96 - 24) / 120)
    assert found.p_rank == pytest.approx(wilcoxon(DARWIN, method="exact").pvalue, rel=1e-12)


def test_censored_times_are_worst_and_tie() -> None:
    first = worst_of([900, 3000, 3000, 700, 800], [True, False, False, True, True])
    second = worst_of([800, 2900, 3000, 3000, 800], [True, True, False, False, True])
    assert first.tolist() == [900, inf, inf, 700, 800]
    found = paired(first, second)
    assert (found.greater, found.less, found.equal) == (2, 1, 2)
    # |d|: 100, inf, inf have ranks 1, 2.5, 2.5; W+ = 3.5 of 6. Every sum of signed ranks is as far from 3, or further.
    assert found.effect == pytest.approx(3.5 / 6 - 2.5 / 6)
    assert found.p_rank == 1
    assert np.isnan(worst_of([nan], [False])).all()


seeds = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


@given(seeds)
def test_exact_with_ties_is_every_way_to_give_signs(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([inf if v == 4 else v for v in column], float) for column in zip(*pairs, strict=True))
    found = paired(first, second)
    change = np.array([a - b for a, b in zip(first, second, strict=True) if a != b])
    if not change.size:
        assert (found.p_rank, found.p_sign, found.effect) == (1, 1, 0)
        return
    ranks = rankdata(abs(change))
    middle = ranks.sum() / 2
    sums = [float(np.dot(signs, ranks)) for signs in product((0, 1), repeat=change.size)]
    far = abs(ranks[change > 0].sum() - middle)
    assert found.p_rank == pytest.approx(np.mean([abs(one - middle) >= far for one in sums]), rel=1e-12)
    assert paired(second, first).effect == pytest.approx(-found.effect)
    assert paired(second, first).p_rank == pytest.approx(found.p_rank)


def test_many_pairs_are_close_to_normal() -> None:
    """Just within and beyond the exact ones, both ways agree to the error, 1/n, of a normal approximation."""
    change = np.random.default_rng(0).normal(0.15, 1, 201)
    exact, normal = paired(change[:200], np.zeros(200)).p_rank, wilcoxon(change[:200], method="asymptotic").pvalue
    assert exact == pytest.approx(normal, rel=0.02)
    asymptotic = wilcoxon(change, method="asymptotic", correction=False).pvalue
    assert paired(change, np.zeros(201)).p_rank == pytest.approx(asymptotic, rel=1e-6)


def test_missing_pairs_are_left_out_and_counted() -> None:
    found = paired([1, nan, 5, 2], [2, 3, nan, 4])
    assert (found.less, found.missing, found.effect) == (2, 2, -1)
    assert found.p_rank == found.p_sign == 0.5
    nothing = paired([nan], [1])
    assert nothing.missing == 1
    assert np.isnan([nothing.p_sign, nothing.p_rank, nothing.effect]).all()
    with pytest.raises(ValueError, match="one value of each a seed"):
        paired([1, 2], [1])
