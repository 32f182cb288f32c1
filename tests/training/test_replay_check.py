"""The difference of two updates from one state: what counts, in which unit, and how much rounding may do."""

from __future__ import annotations

import math

import pytest
import torch

from lrd.training.replay_check import copies, difference, put_back, rounding


def test_the_difference_is_a_share_of_what_the_update_changes_row_by_row() -> None:
    before, expected = torch.zeros(2, 3), torch.tensor([[3.0, 4.0, 0.0], [0.3, 0.4, 0.0]])
    got = expected.clone()
    assert difference([before], [expected], [got]) == 0
    got[1, 2] = 0.1
    assert difference([before], [expected], [got]) == pytest.approx(0.1 / 0.5, rel=1e-5)
    got[0, 0] = 4.0
    assert difference([before], [expected], [got]) == pytest.approx(1.0 / 5.0, rel=1e-5)


def test_nothing_but_what_changes_counts() -> None:
    inf, nan = math.inf, math.nan
    same = torch.tensor([inf, -inf, nan, 0.0, 1.0])
    assert difference([same], [same], [same.clone()]) == 0
    assert difference([torch.zeros(())], [torch.ones(())], [torch.ones(())]) == 0
    assert difference([], [], []) == 0


@pytest.mark.parametrize(
    ("before", "expected", "got"),
    [
        ([1], [2], [3]),
        ([1.0], [1.0], [2.0]),  # what should have stayed
        ([1.0], [2.0], [math.nan]),
        ([1.0], [math.nan], [2.0]),
        ([1.0], [2.0], [math.inf]),
        ([1.0], [-math.inf], [math.inf]),
        ([False], [False], [True]),
    ],
)
def test_these_differ_without_bound(before: list[float], expected: list[float], got: list[float]) -> None:
    assert difference(*([torch.tensor(values)] for values in (before, expected, got))) == math.inf


def test_a_number_that_hardly_moves_may_differ_by_its_own_rounding() -> None:
    before = torch.full((1, 4), 0.7)
    expected = torch.nextafter(before, torch.ones(1))
    got = torch.nextafter(expected, torch.ones(1))
    assert difference([before], [expected], [got]) == 0
    assert difference([before], [expected], [before + 1e-5]) > 10


def test_rounding_is_half_of_the_digits_of_a_precision() -> None:
    assert rounding("float32") == 2.0**-12
    assert rounding("bfloat16") == 2.0**-4
    assert rounding("float64") < 1e-7 < rounding("float32") < rounding("tf32") < rounding("bfloat16")


def test_a_state_is_put_back_whatever_its_layout() -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    parts = [whole[:2], whole.t()[3], torch.tensor(5)]
    kept = copies(parts)
    for part in parts:
        part.zero_()
    put_back(parts, kept)
    assert torch.equal(whole[:2], torch.arange(8.0).reshape(2, 4))
    assert whole[:, 3].tolist() == [3, 7, 11]
    assert parts[2] == 5
