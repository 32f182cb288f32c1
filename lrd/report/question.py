"""What a study asks, in the words of its file in ``experiments/``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lrd.paths import CONF


@dataclass(frozen=True)
class Question:
    """Paragraphs of the first comment of a study's file, up to what was found with it before."""

    file: str
    paragraphs: tuple[str, ...]


def question(study: str, folder: Path = CONF / "experiment") -> Question | None:
    """The question of a study by its name; None where no study of that name comes with lrd, or it says nothing."""
    try:
        lines = (folder / f"{study}.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    comment: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line[1:].strip())
    kept = []
    for paragraph in re.split(r"\n{2,}", "\n".join(comment)):
        if paragraph.startswith("Found"):  # of other records than these
            break
        if paragraph.strip() and not paragraph.startswith(("@package", "lrd ")):
            kept.append(" ".join(paragraph.split()))
    return Question(f"experiments/{study}.yaml", tuple(kept)) if kept else None
