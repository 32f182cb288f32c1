"""McNemar's exact test and Newcombe's interval, written out."""

from __future__ import annotations

from math import comb, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.stats import PairedShares, paired_shares

Z = 1.959963984540054


def of_counts(a: int, b: int, c: int, d: int) -> PairedShares:
    return paired_shares([1] * (a + b) + [0] * (c + d), [1] * a + [0] * b + [1] * c + [0] * d)


def wilson(k: int, n: int) -> tuple[float, float]:
    middle, half = (k + Z * Z / 2) / (n + Z * Z), Z * sqrt(k * (n - k) / n + Z * Z / 4) / (n + Z * Z)
    return middle - half, middle + half


def test_by_hand() -> None:
    """20, 12, 2, 16: p = 2 (1 + 14 + 91) / 2^14; shares 32/50 and 22/50; phi of (20 x 16 - 24 - 25) / sqrt(...)."""
    found = of_counts(20, 12, 2, 16)
    assert (found.both, found.first, found.second, found.neither) == (20, 12, 2, 16)
    assert found.difference == pytest.approx(0.2)
    assert found.p == pytest.approx(2 * (1 + 14 + 91) / 2**14)
    (l1, u1), (l2, u2) = wilson(32, 50), wilson(22, 50)
    phi = (20 * 16 - 12 * 2 - 25) / sqrt(32 * 18 * 22 * 28)
    down, up = 0.64 - l1, u2 - 0.44
    assert found.low == pytest.approx(0.2 - sqrt(down**2 - 2 * phi * down * up + up**2), abs=1e-12)
    down, up = 0.44 - l2, u1 - 0.64
    assert found.high == pytest.approx(0.2 + sqrt(up**2 - 2 * phi * up * down + down**2), abs=1e-12)


def test_the_correlation_is_not_corrected_through_zero() -> None:
    """1, 1, 7, 12: ad - bc = 5 is less than n / 2, so both Wilson distances simply add in squares."""
    found = of_counts(1, 1, 7, 12)
    (l1, u1), (l2, u2) = wilson(2, 21), wilson(8, 21)
    assert found.low == pytest.approx(-6 / 21 - sqrt((2 / 21 - l1) ** 2 + (u2 - 8 / 21) ** 2))
    assert found.high == pytest.approx(-6 / 21 + sqrt((u1 - 2 / 21) ** 2 + (8 / 21 - l2) ** 2))
    negative = of_counts(0, 5, 5, 0)  # phi = -1: distances add
    (l1, u1) = wilson(5, 10)
    assert (negative.low, negative.high) == pytest.approx((-(u1 - l1), u1 - l1))


counts = st.tuples(*[st.integers(0, 12)] * 4).filter(any)


@given(counts)
def test_laws(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = cells
    found, mirrored, failed = of_counts(a, b, c, d), of_counts(a, c, b, d), of_counts(d, c, b, a)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.low < found.high
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    assert (failed.low, failed.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    expected = min(1.0, 2 * sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c))
    assert found.p == mirrored.p == pytest.approx(expected)


def test_missing_pairs_are_left_out_and_counted() -> None:
    found = paired_shares([1, nan, 0, 1], [0, 1, nan, 1])
    assert (found.both, found.first, found.second, found.neither, found.missing) == (1, 1, 0, 0, 2)
    nothing = paired_shares([], [])
    assert np.isnan([nothing.difference, nothing.low, nothing.high, nothing.p]).all()
    with pytest.raises(ValueError, match="one flag of each a seed"):
        paired_shares([1], [1, 0])
