"""The documents of the repository as text, and their fenced blocks: what tests of commands and of links read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
#: README and its like, then the pages of the site.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
#: A comment right before a fence: why no test runs the block, or where alone one does.
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
IN_SLURM = "<!-- run: only where a SLURM answers -->"
FENCE = re.compile(r"( *)```(\w*)(?: title=\"([^\"]+)\")?")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its title names (or ""), and the comment before it (or "")."""

    page: Path
    number: int  # of its first line
    language: str
    title: str
    text: str
    comment: str

    @property
    def lines(self) -> list[str]:
        """The commands of a block of ``sh``."""
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]

    @property
    def runs(self) -> bool:
        """Whether it is to run on any machine."""
        return not self.comment

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.number}"


def name(page: Path) -> str:
    """Where a page is, seen from the root."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """The Markdown of a page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    lines = text_of(page).splitlines()
    at = 0
    while at < len(lines):
        opened = FENCE.fullmatch(lines[at])
        if opened is None:
            assert "```" not in lines[at], f"{name(page)}:{at + 1}: a fence that is not understood"
            at += 1
            continue
        indent, language, title = opened.groups()
        end = next(number for number in range(at + 1, len(lines)) if lines[number] == f"{indent}```")
        before = lines[at - 1].strip() if at else ""
        comment = before if before.startswith("<!-- ") else ""
        text = "".join(line[len(indent) :] + "\n" for line in lines[at + 1 : end])
        yield Block(page, at + 1, language, title or "", text, comment)
        at = end + 1


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
