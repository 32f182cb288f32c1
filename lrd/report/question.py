"""The question that a study asks, in the words of its file in ``experiments/``."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lrd.paths import CONF


@dataclass(frozen=True)
class Question:
    """The paragraphs of the first comment of a study's file, up to one that begins with ``Found``."""

    file: str
    paragraphs: tuple[str, ...]


def question(study: str, folder: Path = CONF / "experiment") -> Question | None:
    """Return the question of a study.

    Args:
        study: its name.
        folder: where the files of studies lie.

    Returns:
        ``None`` where no readable file of that name lies there, or it has no such comment.
    """
    for name in (f"{study}.yaml", f"papers/{study}.yaml"):
        with suppress(OSError, UnicodeDecodeError, ValueError):
            lines = (folder / name).read_text(encoding="utf-8").splitlines()
            break
    else:
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
    return Question(f"experiments/{name}", tuple(kept)) if kept else None
