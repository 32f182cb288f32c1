"""The check of Triton's kernels: in Triton's interpreter where there is no GPU, and compiled where there is one.

On a bare GPU box: ``PYTHONPATH=. python -m pytest --noconftest -c /dev/null tests/kernels/test_triton_check.py``.
"""

from __future__ import annotations

import functools
import os
from unittest import mock

import pytest
import torch
from exact_cases import CELLS
from triton_cases import GPU, INTERPRETING, NAMES, ON

from lrd.kernels import KERNELS
from lrd.kernels.check import check_kernel
from lrd.training.precision import computing, use

#: What the interpreter, which takes its time and rounds nothing to TF32, can show in less than a minute each.
INTERPRETED = [("rnn-tanh", "float32"), ("rnn-tanh", "bfloat16"), ("lstm", "float32")]
CASES = [(name, precision) for name in CELLS for precision in ("float32", "tf32", "bfloat16")] if GPU else INTERPRETED


@pytest.mark.slow
@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize(("name", "precision"), CASES)
def test_triton_passes_the_check_of_every_precision(name: str, precision: str, device: str) -> None:
    cell = CELLS[name]
    kernel = KERNELS[NAMES[type(cell)]]
    use(precision)
    try:
        with mock.patch.dict(os.environ, INTERPRETING):
            check = check_kernel(kernel, cell, torch.device(device), precision, functools.partial(computing, precision))
    finally:
        use("float32")
    assert check.wrong == ""
    assert set(check.parts()) == {"forward", "backward", "norms"}
    # Far from the limit, and of the size of the precision's own rounding.
    least, most = {"float32": (1e-9, 0.2), "tf32": (1e-6, 0.7), "bfloat16": (1e-4, 0.7)}[precision]
    assert all(least < error.size < most * error.allowed for error in check.parts().values())
