"""Texts of records and users as a figure can show them: a label may say anything, and no figure fails because of it.

Valid mathtext is drawn as such; any other dollar sign is a dollar sign. A letter for which the font has no glyph is
written as its code point, ``[U+1F680]``, alike on every machine: fonts that one of them happens to have are not used.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

import matplotlib
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.mathtext import MathTextParser

from lrd.records.display_names import split_network

LONGEST = 24  # letters of a name on a figure
HEAD, TAIL = 14, 9  # of a longer one, with an ellipsis between
WIDEST = 400.0  # of a formula, points: more than a column of a paper is no name


def named(names: Iterable[str]) -> dict[str, str]:
    """Return how each of several names is drawn: short, literal where it is no mathtext, no two of them alike."""
    drawn: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):  # the same names whatever the order of the runs
        text, count = _name(name), 1
        while text in taken:
            count += 1
            text = f"{_name(name)} ({count})"
        taken.add(text)
        drawn[name] = text
    return drawn


def literal(text: str) -> str:
    """Return a text of any length as matplotlib draws it letter by letter, but for mathtext that is valid."""
    shown = "\n".join(map(_in_glyphs, text.split("\n")))
    return shown if _is_drawable(shown) else shown.replace("$", r"\$")


def has_glyph(character: str, family: str) -> bool:
    """Return whether a font draws a character."""
    return ord(character) in _glyphs((family,)) and not unicodedata.category(character).startswith("C")


def _name(name: str) -> str:
    shown = _in_glyphs(" ".join(name.split()))
    if "$" in shown and _is_drawable(shown):
        return shown
    cell, network = split_network(shown)  # what tells networks apart is never cut
    if len(cell) > LONGEST:
        cell = f"{cell[:HEAD].rstrip()}…{cell[-TAIL:].lstrip()}"
    return (cell + network).replace("$", r"\$") or "(no name)"


def _in_glyphs(line: str) -> str:
    """Return a line in which letters that cannot be drawn are code points, several in a row in one bracket."""
    known = _glyphs(tuple(matplotlib.rcParams["font.family"]))
    parts: list[str] = []
    for letter in line:
        if ord(letter) in known and not unicodedata.category(letter).startswith("C"):
            parts.append(letter)
        elif parts and parts[-1].startswith("[U+"):
            parts[-1] = f"{parts[-1][:-1]} U+{ord(letter):04X}]"
        else:
            parts.append(f"[U+{ord(letter):04X}]")
    return "".join(parts)


@cache
def _glyphs(families: tuple[str, ...]) -> Mapping[int, int]:
    """Return the code points for which a font of these families has a glyph."""
    found: dict[int, int] = {}
    for family in families:
        try:
            path = findfont(FontProperties(family=[family]), fallback_to_default=False)
        except ValueError:  # matplotlib takes the next one
            continue
        found |= get_font(path).get_charmap()
    return found


@lru_cache(maxsize=4096)
def _is_drawable(text: str) -> bool:
    """Return whether matplotlib can draw a text: it has no formula, or one that can be parsed and is no page wide."""
    if (text.count("$") - text.count(r"\$")) % 2 == 1:
        return False  # matplotlib would draw it letter by letter, the formulas of what it is put together with too
    try:
        return all("$" not in line or _parser().parse(line).width <= WIDEST for line in text.split("\n"))
    except (ValueError, RecursionError):
        return False


@cache
def _parser() -> MathTextParser:  # type: ignore[type-arg]
    return MathTextParser("path")
