"""Tests on a real SLURM (``.ci/slurm start``); skipped by name where none answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import once, run, slurm_answers
from slurm_commands import LOCAL, STUDY, SWEEP, of_rnns


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    absent = bool(here) and not slurm_answers()
    for item in here:
        item.add_marker("slurm")
        if absent:
            item.add_marker(pytest.mark.skip(reason="no SLURM answers sinfo; .ci/slurm starts one"))


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as local workers train it."""
    command = [*SWEEP, "cell=rnn,lstm", *LOCAL]
    return once(tmp_path_factory, "local", lambda folder: run(command, folder) and None) / STUDY


@pytest.fixture
def rnns(untouched: Path, tmp_path: Path) -> Path:
    """The same without its LSTMs."""
    return of_rnns(untouched, tmp_path / "rnns")
