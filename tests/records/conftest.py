"""No wandb of the user's around, and runs that were mirrored."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import LRD, once, run
from offline_runs import TINY


@pytest.fixture(autouse=True)
def no_wandb_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an RNN and an LSTM were trained, and mirrored offline."""
    command = [LRD, "train", "-m", *TINY, "cell=rnn,lstm"]
    return once(tmp_path_factory, "mirrored", lambda folder: run(command, folder) and None)
