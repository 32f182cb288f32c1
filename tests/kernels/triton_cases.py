"""Packs for the Triton kernels: in Triton's interpreter on the CPU where there is no GPU, and on one where there is.

They need torch, numpy, triton and pytest alone, so that a bare GPU box runs them, from the repository's root:
``PYTHONPATH=. python -m pytest --noconftest -c /dev/null tests/kernels/test_triton_kernels.py``.
"""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import pytest
import torch
from exact_cases import Case

from lrd.cells import GRU, LSTM, RNN
from lrd.kernels.fused import GradientNorms, launch
from lrd.shapes import Tensor

GPU = torch.cuda.is_available()
# Whether programs are compiled or interpreted is settled when triton is imported and when they are defined, and asked
# once more when it is first used. Nothing else in these tests uses triton, nor should it see the variable.
INTERPRETING = {} if GPU else {"TRITON_INTERPRET": "1"}
with mock.patch.dict(os.environ, INTERPRETING):
    from lrd.kernels.fused import gru, lstm, rnn  # noqa: F401

ON = [
    pytest.param("cpu", id="interpreted", marks=pytest.mark.skipif(GPU, reason="compiled for the GPU that is here")),
    pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not GPU, reason="needs a CUDA device")]),
]
NAMES = {RNN: "triton_rnn", LSTM: "triton_lstm", GRU: "triton_gru"}


def triton(made: Case, device: str, **options: Any) -> dict[str, Tensor]:
    """What the Triton kernel makes of a pack."""
    with mock.patch.dict(os.environ, INTERPRETING):
        return made.results(NAMES[type(made.cell)], torch.float32, device, **options)


def with_norms(made: Case, device: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Results with gradient norms asked for, and these."""
    norms = GradientNorms()
    results = triton(made, device, norms=norms)
    return results, {variable: value.cpu() for variable, value in norms.log10().items()}


def stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """W is held by no program, and read in the smallest blocks."""
    monkeypatch.setattr(launch, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(launch, "UNITS", 16)
    monkeypatch.setattr(launch, "INNER", 16)
