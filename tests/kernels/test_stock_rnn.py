"""Torch's own kernel of vanilla RNNs: the loop's numbers, and each run's own to the last bit."""

from __future__ import annotations

import pytest
import torch
from packs import SHAPES, assert_no_companion_matters, assert_same_to_rounding, case

from lrd.cells import RNN
from lrd.kernels import stock


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_computes_what_the_loop_computes(shape: tuple[int, ...], activation: str) -> None:
    made = case(RNN(activation=activation), shape, torch.float64, zero=shape[0] == 2)
    assert stock.has_kernel_of(made.cell)
    assert_same_to_rounding(made.results("stock_rnn"), made.results("loop"), made)


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, ...]) -> None:
    assert_no_companion_matters("stock_rnn", case(RNN(), shape, torch.float32))


def test_torch_has_no_other_activation() -> None:
    assert not stock.has_kernel_of(RNN(activation="sigmoid"))
