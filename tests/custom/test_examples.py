"""The cell, task and probe that the docs show are ones that lrd takes."""

from __future__ import annotations

import pytest
from commands import ROOT

from lrd.commands.check import run as check

EXAMPLES = ROOT / "docs" / "examples"


@pytest.mark.parametrize(
    ("name", "lines"), [("my_cell.py:MGU", 10), ("my_task.py:First", 8), ("my_probe.py:Dimension", 11)]
)
def test_every_example_keeps_its_protocol(name: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([str(EXAMPLES / name)]) == 0
    said = capsys.readouterr()
    assert said.out.count(" kept ") == lines
    assert "remark" not in said.out
    assert said.err == ""


def test_the_probe_is_short() -> None:
    assert len((EXAMPLES / "my_probe.py").read_text(encoding="utf-8").splitlines()) <= 32
