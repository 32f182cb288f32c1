"""Code that makes tensors on another device than its arguments', found without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrd.custom.devices import check_device
from lrd.custom.protocol import ProtocolError

X = torch.empty(3, device="meta")


def checked(function: Callable[[], Any]) -> None:
    check_device(4, "step", function, "x", "write x.new_zeros(n)")


@pytest.mark.parametrize(
    "function",
    [
        lambda: X + torch.zeros(3),
        lambda: torch.stack([X, torch.ones(3)]),
        lambda: torch.where(X > 0, X, torch.arange(3)),
        lambda: torch.zeros(2),
        lambda: {"gate": X, "other": torch.zeros(2)},
    ],
)
def test_a_tensor_made_elsewhere_breaks_the_line(function: Callable[[], Any]) -> None:
    with pytest.raises(ProtocolError, match=r"step (makes|gives) a tensor on another device than x: write x.new_zeros"):
        checked(function)


def _dies_of_a_device() -> None:
    raise RuntimeError("this word is of no meaning: device")


@pytest.mark.parametrize(
    "function",
    [
        lambda: X + 2 * X.new_zeros(3),
        lambda: X * torch.tensor(2.0),  # a single number may lie anywhere
        lambda: X[torch.tensor([0, 2])],
        lambda: X.sum().item(),  # needs numbers: no verdict
        _dies_of_a_device,
    ],
)
def test_the_rest_does_not(function: Callable[[], Any]) -> None:
    checked(function)
