"""A study to draw, made once a session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))  # for ``synthetic`` and ``drawn``

from synthetic import MadeStudy, make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    root = tmp_path_factory.mktemp("runs")
    return MadeStudy(root / "made", make_study(root, seeds=4))


@pytest.fixture
def tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of figures the CSV and the manifest are written; nothing is even laid out."""
    monkeypatch.setattr("lrd.figures.pictures.write", lambda *_: None)
