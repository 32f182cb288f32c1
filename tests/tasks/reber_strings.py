"""Reber's grammar once more, as text: what the tests of the task and of its automaton compare with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

NODES = {
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
}


def nodes_along(string: str) -> list[int]:
    """The nodes behind each symbol of a string of the grammar; ``KeyError`` where it is none."""
    if string[0] != "B" or string[-1] != "E":
        raise KeyError(string)
    node, nodes = 1, [1]
    for symbol in string[1:-1]:
        node = NODES[node][symbol]
        nodes.append(node)
    if node != 6:
        raise KeyError(string)
    return [*nodes, 0]


def legal_along(string: str) -> list[str]:
    """The symbols that may follow each symbol of a string but its last."""
    return ["".join(NODES[node]) if node in NODES else "E" for node in nodes_along(string)[:-1]]


def strings(most: int) -> Iterator[tuple[str, Fraction]]:
    """All strings of the grammar with at most so many symbols, and their probabilities."""
    found: list[tuple[str, int, Fraction]] = [("B", 1, Fraction(1))]
    while found:
        string, node, probability = found.pop()
        if node == 6:
            yield string + "E", probability
        elif len(string) < most - 1:
            found += [(string + symbol, to, probability / 2) for symbol, to in NODES[node].items()]


def split(inner: str) -> list[str]:
    """The strings that an inner part is made of: each ends with its only E."""
    return [part + "E" for part in inner.split("E")[:-1]]


def embedded(repeats: int, most: int) -> Iterator[tuple[str, Fraction]]:
    """All embedded strings with at most so many symbols, and their probabilities."""
    shortest = 5
    parts = list(strings(most - 4 - shortest * (repeats - 1)))
    inner = [("", Fraction(1))]
    for _ in range(repeats):
        inner = [(a + b, p * q) for a, p in inner for b, q in parts if len(a + b) <= most - 4]
    for string, probability in inner:
        for z in "TP":
            yield f"B{z}{string}{z}E", probability / 2
