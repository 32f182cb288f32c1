"""How to read a figure, from the docstring of its script."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.figures import FIGURES
from lrd.report.reading import reading

DOCSTRING = '''"""What it shows: a < b.

    python analysis/made.py runs/demo

How to read it. One panel
a task, ``code & more``.

* first item
  goes on;
* second

The end.
"""
'''


def test_paragraphs_and_lists_become_html(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(DOCSTRING)
    found = reading("made", tmp_path)
    assert found.title == "What it shows: a < b."
    assert found.blocks == (
        ("One panel a task, <code>code &amp; more</code>.",),
        ("first item goes on;", "second"),
        ("The end.",),
    )


@pytest.mark.parametrize("script", FIGURES)
def test_every_figure_says_how_to_read_it(script: str) -> None:
    found = reading(script)
    assert found.title.endswith((".", "?"))
    assert len(found.blocks) >= 1
    words = " ".join(item for block in found.blocks for item in block)
    assert len(words.split()) > 40
    assert "``" not in words


def test_a_script_without_words_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = (\n")
    for name in ("silent", "broken", "gone"):
        assert (reading(name, tmp_path).title, reading(name, tmp_path).blocks) == (name, ())
