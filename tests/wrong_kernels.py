"""Kernels made wrong on purpose, for tests of what becomes of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from lrd.kernels import KERNELS, GradientNorms
from lrd.shapes import Tensor


def off_forward(scan: Any, *given: Any, **options: Any) -> Any:
    """h is off by a thousandth."""
    h, last = scan(*given, **options)
    return h * 1.001, last


def off_backward(scan: Any, cell: Any, params: Any, *given: Any, **options: Any) -> Any:
    """The gradient of W is half of what it is."""
    half = params["W"] / 2
    return scan(cell, params | {"W": half + half.detach()}, *given, **options)


def off_norms(scan: Any, *given: Any, norms: Any = None, **options: Any) -> Any:
    """Every norm is twice what it is."""
    return scan(*given, norms=None if norms is None else _Twice(norms), **options)


class _Twice(GradientNorms):
    def __init__(self, norms: GradientNorms) -> None:
        self._norms = norms

    def put(self, variable: str, size: Tensor, power: Tensor) -> None:
        self._norms.put(variable, size, power + 1)


def raising(scan: Any, *given: Any, **options: Any) -> Any:
    """It needs a compiler that is not there."""
    raise RuntimeError("no C compiler\nfound in PATH")


#: A way in which a kernel is wrong, and what is said of it.
WAYS: dict[Callable[..., Any], str] = {
    off_forward: "forward: ",
    off_backward: "backward: d W (",
    off_norms: "norms: the norm of dL/dh (",
    raising: "it raises RuntimeError: no C compiler found in PATH",
}


def untrusted(
    monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any] | None = None, name: str = "packed"
) -> list[str]:
    """Make a kernel one that is to be checked, and wrong by ``change``; return a list that grows by each call of it."""
    calls: list[str] = []
    kernel = KERNELS[name]

    def scan(*given: Any, **options: Any) -> Any:
        calls.append(name)
        return kernel.scan(*given, **options) if change is None else change(kernel.scan, *given, **options)

    monkeypatch.setitem(
        KERNELS, name, dataclasses.replace(kernel, checked=True, scan=functools.wraps(kernel.scan)(scan))
    )
    return calls
