"""The version of NVIDIA's driver, from its kernel module or nvidia-smi."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lrd.records.environment import gpu_driver

SAID = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@host)\n"


@pytest.mark.parametrize(
    ("module", "smi", "version"),
    [
        (SAID, None, "550.54.15"),
        (OPEN, None, "570.124.06"),
        (None, "535.183\n535.183\n", "535.183"),
        ("no number", "535.183\n", "535.183"),
        (None, "", None),
        (None, FileNotFoundError(), None),
        (None, subprocess.CalledProcessError(9, "nvidia-smi"), None),
        (None, subprocess.TimeoutExpired("nvidia-smi", 10), None),
    ],
)
def test_driver(module: str | None, smi: Any, version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(path: Path, **how: Any) -> str:
        if module is None:
            raise FileNotFoundError(path)
        return module

    def run(*given: Any, **how: Any) -> subprocess.CompletedProcess[bytes]:
        if isinstance(smi, Exception):
            raise smi
        return subprocess.CompletedProcess([], 0, stdout=smi.encode())

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr("subprocess.run", run)
    assert gpu_driver.__wrapped__() == version
