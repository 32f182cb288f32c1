"""The question of a study, from the head of its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import ROOT

from lrd.report.question import question

HEAD = """# @package _global_
# lrd train experiment=mine
#
# Hypothesis: one thing
# is so.
#
# Both are equal.
#
# Found: it was not.
#
#   a table

study: mine  # a comment
# Another comment.
"""


def test_it_is_the_first_comment_up_to_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD)
    found = question("mine", tmp_path)
    assert found is not None
    assert found.file == "experiments/mine.yaml"
    assert found.paragraphs == ("Hypothesis: one thing is so.", "Both are equal.")


@pytest.mark.parametrize("file", sorted((ROOT / "experiments").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_house_has_one(file: Path) -> None:
    found = question(file.stem)
    assert found is not None
    assert found.file == file.relative_to(ROOT).as_posix()
    assert found.paragraphs[0].startswith("Hypothesis: ")
    assert not any(word in paragraph for paragraph in found.paragraphs for word in ("@package", "Found"))


def test_a_study_without_a_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("study: bare\n")
    (tmp_path / "latin.yaml").write_bytes(b"# Hypothesis: \xe9\n")
    assert [question(name, tmp_path) for name in ("nowhere", "bare", "latin", "..")] == [None] * 4
