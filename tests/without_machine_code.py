"""A CPU on which all that trains is torch's, as on a GPU and where there is no numba."""

from __future__ import annotations

import pytest

from lrd.kernels import cpu

_PROGRAMS = (
    *("tasks.words_on_cpu.words", "tasks.words_on_cpu.uniform", "gradients.norm_sums_on_cpu.program"),
    "training.adam_on_cpu.program",
)


def turn_off_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything find that there is no numba."""
    for program in _PROGRAMS:
        monkeypatch.setattr(f"lrd.{program}", lambda: None)
    monkeypatch.setattr(cpu, "why_not", lambda: "numba is not installed")
