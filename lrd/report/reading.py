"""How to read a figure, in the words of its script: the docstring of a file of ``analysis/`` as paragraphs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from lrd.paths import ANALYSIS


@dataclass(frozen=True)
class Reading:
    """The first sentence of a script; then paragraphs of HTML, each alone or the items of a list."""

    title: str
    blocks: tuple[tuple[Markup, ...], ...]


def reading(script: str, folder: Path = ANALYSIS) -> Reading:
    """The part of a script's docstring that begins with ``How to read it.``; no blocks where it has none."""
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
    """Words of a docstring as HTML: what stands between double backquotes is code."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(" ".join(text.split())))))
