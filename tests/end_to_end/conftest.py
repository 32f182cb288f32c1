"""Studies trained once for all tests of this folder, by the commands that a user types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import LRD, MINIATURE, SWEEP, once, run

LARGE = ("variants",)  # studies of so many runs that one seed will do


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the 24 runs of ``SWEEP`` were trained, with their wandb runs."""
    return once(tmp_path_factory, "sweep", lambda folder: _train(folder, "-m", *SWEEP))


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder in which a study of experiments/ was trained in miniature."""

    def of(name: str) -> Path:
        options = [*MINIATURE, *(["seed=0"] if name in LARGE else [])]
        return once(tmp_path_factory, name, lambda folder: _train(folder, f"experiment={name}", *options))

    return of


def _train(folder: Path, *arguments: str) -> None:
    done = run([LRD, "train", *arguments], folder)
    (folder / "stdout").write_text(done.stdout)
