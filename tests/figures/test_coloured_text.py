"""A passage in a panel: every character has its place, its colour and its letter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.figures import FigureOptions, FigureScript, layout
from lrd.figures.coloured_text import SIZE, colours, columns_in, draw_passage, height_of, outline, places_of
from lrd.figures.styles import style_of


@given(st.text("ab \n", max_size=60), st.integers(1, 7))
def test_a_text_read_from_its_places_is_the_text(text: str, columns: int) -> None:
    places = places_of(text, columns)
    assert sorted(places) == places  # as one reads
    assert len(set(places)) == len(text)
    shown: dict[int, str] = {}
    for character, (row, column) in zip(text, places, strict=True):
        assert column == len(shown.get(row, ""))  # no place is left out
        shown[row] = shown.get(row, "") + character
    assert sorted(shown) == list(range(len(shown)))
    expected = []
    for line in text.splitlines(keepends=True):
        whole, end = line.rstrip("\n"), "\n" * line.endswith("\n")
        parts = [whole[k : k + columns] for k in range(0, len(whole), columns)] or [""]
        expected += [*parts[:-1], parts[-1] + end]
    assert [shown[row] for row in sorted(shown)] == expected


def drawn(text: str, values: np.ndarray, marked: list[int]) -> tuple[Any, Any]:
    _, ((axes,),) = layout.grid(1, 1, 1.0)
    picture = draw_passage(axes, list(text), values, marked, 4, 4)
    return axes, picture


def test_every_character_stands_on_the_colour_of_its_number() -> None:
    text = "ab c$\nd\U0001f680\n\\"
    values = np.linspace(-1, 1, len(text))
    axes, picture = drawn(text, values, [1, 4])
    cells = picture.get_array()
    assert cells.shape == (4, 5)
    for place, value in zip(places_of(text, 4), values, strict=True):
        assert cells[place] == pytest.approx(value)
    assert cells.count() == len(text)  # the others are masked
    letters, ends, lines = axes.collections
    expected = {(0, 0): "a", (0, 1): "b", (0, 3): "c", (1, 0): "$", (2, 0): "d", (2, 1): "□", (3, 0): "\\"}
    for drawn_there, text_there in ((letters, expected), (ends, {(1, 1): "↵", (2, 2): "↵"})):
        offsets = [(round(y), round(x)) for x, y in drawn_there.get_offsets()]
        assert offsets == list(text_there)
        for path, letter in zip(drawn_there.get_paths(), text_there.values(), strict=True):
            np.testing.assert_array_equal(path.vertices, outline(letter).vertices)
    under = [(segment[0][0], segment[1][0], round(segment[0][1] - 0.46)) for segment in lines.get_segments()]
    assert under == [(0.5, 1.5, 0), (-0.5, 0.5, 1)]


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("style", ["paper", "grey", "talk"])
def test_black_text_is_legible_on_every_colour(style: str) -> None:
    found: dict[str, Any] = {}

    def keep(study: object) -> list[Any]:
        colour_map, scale = colours()
        found["colours"] = [colour_map(scale(value)) for value in np.linspace(-1, 1, 21)]
        found["columns"], found["scale"] = columns_in(3.4), layout.scale()
        return []

    FigureScript(keep)(None, options=FigureOptions(style_of(style)))
    levels = [luminance(colour) for colour in found["colours"]]
    assert min((level + 0.05) / 0.05 for level in levels) >= 4.5  # WCAG 2: contrast of text
    assert len({tuple(colour) for colour in found["colours"]}) == 21
    if style == "grey":
        assert all(len({round(c, 6) for c in colour[:3]}) == 1 for colour in found["colours"])
        assert levels == sorted(levels, reverse=True)
    else:
        assert max(levels) == pytest.approx(levels[10], abs=0.02)  # white is 0
    # A letter of the font is 0.602 of its size wide.
    assert found["columns"] * 0.602 * SIZE * found["scale"] <= 3.4 * 72
    assert found["columns"] >= (72 if style == "paper" else 40)
    assert height_of(3) == pytest.approx(3 * height_of(1))


def test_a_letter_stands_in_the_middle_of_its_place() -> None:
    for letter, height in (("M", 0.729), ("x", 0.547)):  # of DejaVu Sans Mono's capitals and small letters
        box = outline(letter).get_extents()
        assert abs(box.x0 + box.x1) < 0.05
        assert box.height == pytest.approx(height, abs=0.02)
        assert -0.5 < box.y0 < 0 < box.y1 < 0.5
    assert not np.array_equal(outline("a").vertices, outline("b").vertices)
