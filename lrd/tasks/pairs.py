"""Pairs of brackets and quotes in a text: which opening one each closing one belongs to.

Brackets (), [], {} and directed quotes “”, ‘’ say by themselves which of the two they are. A straight quote (" or ')
opens where it follows no letter, digit, underscore or closing bracket, and no blank follows it; any quote, straight
or directed, closes where it follows no blank, no letter or digit follows it, and one like it is open. That leaves
apostrophes out (don't, 90's), and the rare string with a prefix letter (b'x').

A closing sign belongs to the latest open one of its kind, and what was opened in between stays unclosed: so a lone
bracket in quotes, "(", or a half-open interval, [0, 1), pairs with nothing. Nothing is paired across a blank line.
"""

from __future__ import annotations

import re

import numpy as np

_CLOSED_BY = {"(": ")", "[": "]", "{": "}", "“": "”", "‘": "’"}
_STRAIGHT, _QUOTES = "\"'", "\"'”’"
_SIGNS = re.compile(r"[()\[\]{}\"'“”‘’]|\n[^\S\n]*\n")


def closing_distances(text: str) -> np.ndarray:
    """Return how many characters before each character its opening partner stands; 0 where it closes nothing."""
    distances = np.zeros(len(text), dtype=np.int64)
    still_open: list[tuple[str, int]] = []  # what would close it, and where it stands
    for found in _SIGNS.finditer(text):
        sign, place = found[0], found.start()
        if len(sign) > 1:
            still_open.clear()
            continue
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        closes = sign not in _QUOTES or (before.strip() != "" and not after.isalnum())
        depth = next((k for k in reversed(range(len(still_open))) if still_open[k][0] == sign), None)
        if closes and depth is not None:
            distances[place] = place - still_open[depth][1]
            del still_open[depth:]
        elif sign in _CLOSED_BY:
            still_open.append((_CLOSED_BY[sign], place))
        elif sign in _STRAIGHT and after.strip() != "" and not (before.isalnum() or (before and before in "_)]}")):
            still_open.append((sign, place))
    return distances
