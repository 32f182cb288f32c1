"""Torch's own GRU kernel: the loop's numbers, and each run's own to the last bit."""

from __future__ import annotations

import pytest
import torch
from packs import SHAPES, assert_no_companion_matters, assert_same_to_rounding, case

from lrd.cells import GRU


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_computes_what_the_loop_computes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    made = case(GRU(), shape, dtype, zero=shape[0] == 2)
    assert_same_to_rounding(made.results("stock_gru"), made.results("loop"), made)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, ...]) -> None:
    assert_no_companion_matters("stock_gru", case(GRU(), shape, torch.float32))
