"""What tasks of recall share, by hand."""

from __future__ import annotations

import torch

from lrd.tasks import Batch, Copy, VariableCopy
from lrd.tasks.recall import one_hot


def test_one_hot() -> None:
    codes = torch.tensor([[[2, 0]], [[1, 1]]])
    assert one_hot(codes, 3).tolist() == [[[[0, 0, 1], [1, 0, 0]]], [[[0, 1, 0], [0, 1, 0]]]]


def test_answers_are_the_last_steps_or_each_samples_own_last_ones() -> None:
    values = torch.arange(14).view(7, 1, 2)
    fixed = Batch(torch.zeros(7, 1, 2, 5), values)
    assert Copy(gap=3, items=2, symbols=3).at_answers(values, fixed).tolist() == [[[10, 11]], [[12, 13]]]
    weights = torch.ones(7, 1, 2)
    weights[5:, :, 1] = 0  # the second sample ends two steps earlier
    batch = Batch(torch.zeros(7, 1, 2, 5), values, weights)
    assert VariableCopy(gap=3, items=2, symbols=3).at_answers(values, batch).tolist() == [[[10, 7]], [[12, 9]]]
