"""How to read a figure, in the words of its script: the docstring of a file in ``analysis/``, as paragraphs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from lrd.paths import ANALYSIS


@dataclass(frozen=True)
class Reading:
    """The title of a figure, and blocks of HTML: a block of one item is a paragraph, of several a list."""

    title: str
    blocks: tuple[tuple[Markup, ...], ...]


def reading(script: str, folder: Path = ANALYSIS) -> Reading:
    """Return how to read a figure: the part of its script's docstring that begins with ``How to read it.``.

    Args:
        script: its name, without ``.py``.
        folder: where the scripts lie.

    Returns:
        The title is the first paragraph of the docstring, or the script's name where it cannot be read; there are no
        blocks where the docstring has no such part.
    """
    try:
        docstring = ast.get_docstring(ast.parse((folder / f"{script}.py").read_text(encoding="utf-8"))) or script
    except (OSError, SyntaxError):
        docstring = script
    title = docstring.partition("\n\n")[0]
    _, found, text = docstring.partition("How to read it.")
    blocks = [_block(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip())] if found else []
    return Reading(" ".join(title.split()), tuple(blocks))


def _block(paragraph: str) -> tuple[Markup, ...]:
    items = re.split(r"^\* ", paragraph, flags=re.MULTILINE)
    return tuple(marked(item) for item in (items[1:] if not items[0].strip() else [paragraph]))


def marked(text: str) -> Markup:
    """Return words of a docstring as HTML: what stands between double backquotes is code."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(" ".join(text.split())))))
