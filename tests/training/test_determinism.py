"""What decides whether a GPU repeats its bits; a CPU is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from lrd.training.determinism import repeat_bits


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


def settings() -> tuple[bool, bool, str | None]:
    cudnn = torch.backends.cudnn.deterministic
    return torch.are_deterministic_algorithms_enabled(), cudnn, os.environ.get("CUBLAS_WORKSPACE_CONFIG")


def test_it_is_switched_on_and_off_on_a_gpu() -> None:
    repeat_bits(torch.device("cuda"), True)
    assert settings() == (True, True, ":4096:8")
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    repeat_bits(torch.device("cuda"), False)
    assert settings()[:2] == (False, False)


def test_what_the_user_says_of_cublas_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    repeat_bits(torch.device("cuda"), True)
    assert settings()[2] == ":16:8"


def test_a_cpu_is_left_alone() -> None:
    before = settings()
    repeat_bits(torch.device("cpu"), True)
    assert settings() == before
