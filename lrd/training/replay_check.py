"""The check of a replay: whether a recorded update, run again, does what the update itself does from the same state.

A state is the tensors that an update changes in place: parameters, the optimiser's slots, sums, the clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from lrd.kernels.check import FACTORS
from lrd.shapes import Tensor


def copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return what the tensors hold now."""
    return [tensor.detach().clone() for tensor in tensors]


def put_back(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Make the tensors hold what ``copies`` returned."""
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)


def rounding(precision: str) -> float:
    """Return the share of an update by which rounding may make two ways to compute it differ.

    As a rule they have the same bits. Where a library takes another way while an update is recorded, its sums are split
    otherwise, which is some roundings; these grow along the steps of a sequence and through an optimiser that divides
    by small numbers. Half of all digits may be lost to it. A replay that leaves something out, comes too early, or runs
    on memory that is no longer its own is off by about as much as the update itself.

    Args:
        precision: ``training.precision``.
    """
    return math.sqrt(FACTORS[precision])


def difference(before: Sequence[Tensor], expected: Sequence[Tensor], got: Sequence[Tensor]) -> float:
    """Return the largest difference of two updates from one state, as a share of what the update changes.

    It is taken row by row, and so run by run; 0 where all bits that count are the same, with nan the same as nan.
    Infinite where a whole number, such as the clock, or nan is another one, or what should stay has changed.

    Args:
        before: The state.
        expected: What the update makes of it.
        got: What the other update makes of it.
    """
    return max((_difference(*each) for each in zip(before, expected, got, strict=True)), default=0.0)


def _difference(before: Tensor, expected: Tensor, got: Tensor) -> float:
    same = (got == expected) | ((got != got) & (expected != expected))
    if bool(same.all()):
        return 0.0
    if not expected.is_floating_point():
        return math.inf
    rows = len(expected) if expected.ndim else 1
    off = torch.where(same, 0, got.double() - expected.double()).reshape(rows, -1)
    moved = torch.where(expected == before, 0, expected.double() - before.double()).reshape(rows, -1)
    # Numbers that an update hardly moves differ by their own rounding, whatever is added to them.
    own = 4 * torch.finfo(expected.dtype).eps * expected.double().abs().nan_to_num(posinf=0.0).reshape(rows, -1)
    beyond = (off.abs() - own).clamp(min=0)
    share = torch.linalg.vector_norm(beyond, dim=1) / torch.linalg.vector_norm(moved, dim=1)
    share = torch.where((beyond == 0).all(1), 0, share)
    return float(share.nan_to_num(nan=math.inf, posinf=math.inf).max())
