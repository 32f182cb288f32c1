"""Equations of the documentation as MathML, which browsers draw without a script or a network.

A Markdown extension: ``$a_t$`` in a line, and ``$$ ... $$`` as a block of its own.
"""

from __future__ import annotations

import re
from re import Match
from xml.etree.ElementTree import Element, SubElement

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.inlinepatterns import InlineProcessor

#: No space inside the dollars, no digit after them: prices and shell variables are no equations.
INLINE = r"(?<![\\$\w])\$(?![\s$])([^$]+?)(?<!\s)\$(?![\w$])"
# Before Markdown takes backslashes for escapes (180), after code in backquotes (190).
PRIORITY = 185


class InlineEquation(InlineProcessor):
    """An equation within a line."""

    def handleMatch(self, m: Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]  # noqa: N802
        return self.md.htmlStash.store(convert(" ".join(m.group(1).split()))), m.start(0), m.end(0)


class BlockEquation(BlockProcessor):
    """An equation that is a paragraph of its own."""

    def test(self, parent: Element, block: str) -> bool:
        return re.fullmatch(r"\s*\$\$.+\$\$\s*", block, re.DOTALL) is not None

    def run(self, parent: Element, blocks: list[str]) -> None:
        latex = " ".join(blocks.pop(0).strip().strip("$").split())
        place = SubElement(parent, "div", {"class": "equation"})
        place.text = self.parser.md.htmlStash.store(convert(latex, display="block"))


class Equations(Extension):
    """Both kinds of equation."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.inlinePatterns.register(InlineEquation(INLINE, md), "equation", PRIORITY)
        md.parser.blockprocessors.register(BlockEquation(md.parser), "equations", PRIORITY)


def makeExtension(**options: object) -> Equations:  # noqa: N802
    """Return the extension; Markdown looks for a function of this name."""
    return Equations(**options)
