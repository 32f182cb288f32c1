"""One pass over a pack's parameters for Adam, as machine code for the CPU, where torch makes nine.

It rounds where torch's passes round: to float32 after each of them, once for a product and the sum that follows it in
``lerp`` and ``addcmul``. Square roots are exact; those of torch's vector library are off by a last bit now and then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, no_type_check

import numpy as np
import torch

from lrd.machine_code import machine_code
from lrd.shapes import Float, Int, Tensor

_f = np.float32
_d = np.float64


@functools.cache
def program() -> Callable[..., Any] | None:
    """Return what ``adam_step`` calls; None where there is no numba, and the passes are torch's."""
    return machine_code(_step, f"void({', '.join(['float32[:,::1]'] * 8)}, int64, float32[:,::1])")


def adam_step(
    theta: Float[Tensor, "runs parameters"],
    grad: Float[Tensor, "runs parameters"],
    mean: Float[Tensor, "runs parameters"],
    square: Float[Tensor, "runs parameters"],
    constants: dict[str, Float[Tensor, "runs 1"]],
    update: Int[Tensor, ""],
) -> Float[Tensor, "runs parameters"]:
    """Return the parameters after an update by Adam, as a new tensor; all are float32 on the CPU.

    Args:
        theta: Parameters.
        grad: Their gradient.
        mean: The running mean of gradients, which changes in place.
        square: The running mean of their squares, which changes in place.
        constants: beta1, beta2, lr and eps of each run.
        update: The number of the update, counted from 1.
    """
    run, moved = program(), torch.empty_like(theta)
    assert run is not None
    columns = [constants[name] for name in ("beta1", "beta2", "lr", "eps")]
    run(*(x.detach().contiguous().numpy() for x in (theta, grad, mean, square, *columns)), int(update), moved.numpy())
    return moved


@no_type_check
def _step(theta, grad, mean, square, beta1, beta2, lr, eps, update, moved):
    for run in range(len(theta)):
        b1, b2, e = beta1[run, 0], beta2[run, 0], eps[run, 0]
        rest1, rest2 = _f(1) - b1, _f(1) - b2
        rate = _f(_d(lr[run, 0]) / (1 - _d(b1) ** _d(update)))
        scale = _f(1 / np.sqrt(1 - _d(b2) ** _d(update)))
        is_near = rest1 < _f(0.5)
        part = rest1 if is_near else rest1 - _f(1)
        t, g, m, s, to = theta[run], grad[run], mean[run], square[run], moved[run]
        for i in range(len(t)):
            # In float64 a product of two float32 numbers is exact. The mean goes from the nearer one, as in lerp.
            m[i] = _f(_d(part) * _d(g[i] - m[i]) + _d(m[i] if is_near else g[i]))
            s[i] = _f(_d(rest2 * g[i]) * _d(g[i]) + _d(s[i] * b2))
            to[i] = t[i] - m[i] * rate / (np.sqrt(s[i]) * scale + e)
