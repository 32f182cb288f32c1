"""Scaled vectors in Triton's language against those in torch (``lrd.scaled``)."""

from __future__ import annotations

import os
from unittest import mock

import pytest
import torch
from triton_cases import INTERPRETING, ON

from lrd import scaled

with mock.patch.dict(os.environ, INTERPRETING):
    import triton
    import triton.language as tl

    from lrd.kernels.fused import arithmetic

    @triton.jit
    def _scale(x, power, found, exponents, ROWS: tl.constexpr, UNITS: tl.constexpr):
        rows, units = tl.arange(0, ROWS), tl.arange(0, UNITS)
        place = rows[:, None] * UNITS + units[None, :]
        block = tl.load(x + place)
        tl.store(found + place, arithmetic.shifted(block, tl.load(power + rows)))
        tl.store(exponents + rows, arithmetic.exponent(arithmetic.largest_of(block)))

    @triton.jit
    def _powers(power, found, COUNT: tl.constexpr):
        place = tl.arange(0, COUNT)
        tl.store(found + place, arithmetic.power_of_two(tl.load(power + place)))


@pytest.mark.parametrize("device", ON)
def test_the_same_vectors_powers_and_exponents(device: str) -> None:
    """Bit for bit where a result is a normal number; there alone the programs need it."""
    generator = torch.Generator().manual_seed(0)
    rows, units = 64, 16
    x = torch.randn(rows, units, generator=generator)
    x *= torch.exp2(torch.randint(-60, 60, (rows, 1), generator=generator).double()).float()
    power = torch.randint(-60, 60, (rows,), generator=generator, dtype=torch.int32)
    power[:4] = torch.tensor([-252, 253, 0, 1], dtype=torch.int32)
    x[:4] = torch.tensor([2.0**127, 2.0**-126, 1.0, -3.0])[:, None]
    found, exponents = torch.empty_like(x, device=device), torch.empty(rows, dtype=torch.int32, device=device)
    with mock.patch.dict(os.environ, INTERPRETING):
        _scale[(1,)](x.to(device), power.to(device), found, exponents, ROWS=rows, UNITS=units)
    assert torch.equal(found.cpu(), scaled.ldexp(x, power))
    assert exponents.tolist() == scaled.exponent(x).tolist()


@pytest.mark.parametrize("device", ON)
def test_every_normal_power_of_two(device: str) -> None:
    power = torch.arange(-126, 128, dtype=torch.int32)
    power = torch.cat([power, power[-2:]])
    found = torch.empty(len(power), device=device)
    with mock.patch.dict(os.environ, INTERPRETING):
        _powers[(1,)](power.to(device), found, COUNT=len(power))
    assert torch.equal(found.cpu(), scaled.two_to(power, torch.float32))
