"""Before any test imports lrd: wherever tensors are, annotations are checked at run time, and so shapes are."""

from __future__ import annotations

import sys
from pathlib import Path

import jaxtyping
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for ``helpers`` and ``typechecker``, whatever pytest's import mode
WITH_TENSORS = ("cells", "custom", "kernels", "probes", "spec", "tasks", "training")
jaxtyping.install_import_hook([f"lrd.{name}" for name in WITH_TENSORS], "typechecker.check")

import torch  # noqa: E402

torch.set_num_threads(1)  # the tests count on no more than one core


@pytest.fixture
def numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are laid out and their CSV written, but no picture: it takes most of the time, and others look at it."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)
