"""Studies to draw, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import MadeStudy, make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    root = tmp_path_factory.mktemp("runs")
    return MadeStudy(root / "made", make_study(root, seeds=4))


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose one run has only just begun: nothing was measured yet."""
    from lrd.records import RunRecord

    root = tmp_path_factory.mktemp("begun")
    record = RunRecord(root, "begun", "rnn-copy")
    spec = {"task": {"name": "copy", "gap": 5}, "cell": {"name": "rnn", "label": None}, "seed": 0}
    record.create({"spec": spec, "task": {}, "parameters": 1})
    record.status("running", update=0, max_updates=10)
    return root / "begun"


@pytest.fixture
def tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of figures the CSV and the manifest are written; nothing is even laid out."""
    monkeypatch.setattr("lrd.figures.pictures.write", lambda *_: None)
