"""Scaled vectors against exact arithmetic: powers of two, sums of what lies far apart, norms beyond any float."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrd import scaled
from lrd.shapes import Tensor

DTYPES = [torch.float32, torch.float64]


@given(st.integers(-140, 127), st.integers(-250, 250))
def test_ldexp_is_exact_where_the_result_is_a_number(exponent: int, power: int) -> None:
    x = torch.full((2, 3), math.ldexp(1.0, exponent), dtype=torch.float64)
    assert scaled.ldexp(x, torch.tensor([power, 0]))[0, 0] == math.ldexp(1.0, exponent + power)
    if exponent >= -126 and -126 <= exponent + power <= 127:
        x = x.float()
        assert scaled.ldexp(x, torch.tensor([power, 0]))[0, 0] == math.ldexp(1.0, exponent + power)


def test_ldexp_in_place_is_the_same() -> None:
    x = torch.tensor([[3.0, -0.1], [5.0, 0.0]])
    power = torch.tensor([-200, 7])
    expected = scaled.ldexp(x, power)
    assert scaled.ldexp_(x, power) is x
    assert torch.equal(x, expected)


def test_exponents() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, -4.0], [0.5, 0.0], [2.0**-149, 0.0]])
    assert scaled.exponent(x).tolist() == [scaled.OF_ZERO, 3, 0, -148]


def value(mantissa: Tensor, power: int) -> list[Fraction]:
    two = Fraction(2) ** power
    return [Fraction(m) * two for m in mantissa.tolist()]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(st.integers(-140, 120), st.integers(-(10**4), 10**4))
def test_normalising_changes_no_value_and_brings_the_largest_entry_near_one(
    dtype: torch.dtype, exponent: int, power: int
) -> None:
    h = torch.tensor([[1.5, -0.75]], dtype=dtype) * math.ldexp(1.0, exponent)
    c = torch.tensor([[0.25, 0.5]], dtype=dtype) * math.ldexp(1.0, exponent)
    (new_h, new_c), new_power = scaled.normalise((h, c), torch.tensor([power]))
    for old, new in ((h, new_h), (c, new_c)):
        assert value(new[0], int(new_power)) == value(old[0], power)
    largest = max(float(new.abs().max()) for new in (new_h, new_c))
    assert 0.5 <= largest < 1


def test_zeros_keep_their_power_and_nan_stays() -> None:
    (mantissa,), power = scaled.normalise((torch.tensor([[0.0, 0.0], [math.nan, 1.0]]),), torch.tensor([5, 5]))
    assert mantissa[0].tolist() == [0, 0]
    assert power[0] == 5
    assert math.isnan(mantissa[1, 0])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(st.integers(-3000, 3000), st.integers(-120, 120))
def test_sums_are_rounded_once_however_far_their_terms_lie_apart(dtype: torch.dtype, power: int, exponent: int) -> None:
    """The error is that of one addition, and of what falls below the smallest number beside the largest entry."""
    h, c = torch.tensor([[0.7, -0.2]], dtype=dtype), torch.tensor([[0.9, 0.1]], dtype=dtype)
    added = torch.tensor([[0.3, 0.6]], dtype=dtype) * math.ldexp(1.0, exponent)
    (new_h, new_c), new_power = scaled.add((h, c), torch.tensor([power]), added)
    eps = Fraction(torch.finfo(dtype).eps)
    expected = [a + b for a, b in zip(value(h[0], power), value(added[0], 0), strict=True)] + value(c[0], power)
    got = value(torch.cat([new_h, new_c], 1)[0], int(new_power))
    largest = max(abs(x) for x in expected)
    assert all(abs(a - b) <= eps * largest for a, b in zip(got, expected, strict=True))


def test_adding_to_nothing_and_nothing() -> None:
    nothing, some = torch.zeros(1, 2), torch.tensor([[4.0, 1.0]])
    (h,), power = scaled.add((nothing,), torch.tensor([-7000]), some)
    assert value(h[0], int(power)) == [4, 1]
    (h,), power = scaled.add((some,), torch.tensor([-7000]), nothing)
    assert value(h[0], int(power)) == [4 * Fraction(2) ** -7000, Fraction(2) ** -7000]
    (h,), _ = scaled.add((nothing,), torch.tensor([-7000]), nothing)
    assert h[0].tolist() == [0, 0]


@pytest.mark.parametrize("exponent", [-1000, -500, 0, 500, 1000])
def test_norms_whose_squares_are_no_numbers(exponent: int) -> None:
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64) * math.ldexp(1.0, exponent)
    expected = math.log10(5) + exponent * math.log10(2)
    assert float(scaled.log10_norm(x)) == pytest.approx(expected, rel=1e-14)
    assert float(scaled.log10_norm(torch.zeros(1, 2))) == -math.inf
