"""The logistic function: its values, its slope, and the last bit wherever a number stands."""

from __future__ import annotations

import pytest
import torch
from helpers import EPS32, EPS64

from lrd.cells.logistic import logistic


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, EPS32), (torch.float64, EPS64)])
def test_value_and_slope(dtype: torch.dtype, eps: float) -> None:
    """exp of a rounded number below 40, a sum and an inverse: some 40 eps relative; the slope is s (1 - s)."""
    a = torch.linspace(-40, 40, 81, dtype=dtype, requires_grad=True)
    s = logistic(a)
    exact = 1 / (1 + torch.exp(-a.detach().double()))
    torch.testing.assert_close(s.detach().double(), exact, rtol=40 * eps, atol=0)
    (slope,) = torch.autograd.grad(s.sum(), a)
    # 1 - s has an error of eps where s is near 1, and s (1 - s) a relative one where s is small.
    torch.testing.assert_close(slope.double(), exact * exact.flip(0), rtol=100 * eps, atol=2 * eps)
    assert float(slope[0]) == pytest.approx(float(exact[0]), rel=100 * eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_number_overflows(dtype: torch.dtype) -> None:
    a = torch.tensor([-1e30, -800.0, -90.0, 90.0, 800.0, 1e30], dtype=dtype, requires_grad=True)
    s = logistic(a)
    (slope,) = torch.autograd.grad(s.sum(), a)
    assert s.tolist()[3:] == [1, 1, 1]
    assert all(0 <= value < 1e-30 for value in s.tolist()[:3])
    assert bool(((slope >= 0) & (slope < 1e-30)).all())


def test_a_number_has_the_same_result_wherever_it_stands() -> None:
    values = torch.randn(67, generator=torch.Generator().manual_seed(0)) * 5
    together = logistic(values)
    assert all(torch.equal(logistic(values[i : i + 1]), together[i : i + 1]) for i in range(67))
