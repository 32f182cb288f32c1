"""Sums of training gradient norms over updates, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrd.cells import FIRST, RNN
from lrd.gradients.norm_sums import NormSums


def test_sums_of_what_is_far_apart_and_what_does_not_count() -> None:
    cell = RNN(hidden_size=2)
    sums = NormSums.nothing(cell, 2, 2, torch.device("cpu"))
    first = torch.tensor([[[-500.0, -501.0], [0.0, 0.0]], [[-torch.inf, -torch.inf], [0.0, 0.0]]]).double()
    second = torch.tensor([[[400.0, -torch.inf], [9.0, 9.0]], [[-torch.inf, 3.0], [torch.nan, torch.inf]]]).double()
    sums.add({(FIRST, "h"): first}, torch.tensor([True, True]), batch_size=10)
    sums.add({(FIRST, "h"): second}, torch.tensor([True, False]), batch_size=10)
    one, other = sums.tables(2)
    assert one["log10_mean"].tolist() == pytest.approx([401 - np.log10(4), 4 - np.log10(4)], rel=1e-15)
    assert one["log10_gmean"].tolist() == pytest.approx([(-499 - 500 + 401) / 3, 4.0], rel=1e-15)
    assert one["log10_min"].tolist() == [-500.0, 4.0]
    assert one["log10_max"].tolist() == [401.0, 4.0]
    assert one["zero_share"].tolist() == [0.25, 0.75]
    assert one["log10_std"].tolist() == pytest.approx([np.std([-499.0, -500.0, 401.0]), 0.0], rel=1e-12)
    assert other["updates"].tolist() == [1, 1]
    assert other["log10_mean"].tolist() == [1.0, 1.0]
    assert other["zero_share"].tolist() == [0.0, 0.0]
