"""Styles and widths: what is asked for is there, and what is not is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.figures import FigureOptionError
from lrd.figures.styles import KEPT, SIZES, style_of, width_in_words, width_of


def test_widths() -> None:
    assert [width_of(text) for text in (None, "single", "double", "5", "2.5", "14")] == [None, 3.4, 7.0, 5.0, 2.5, 14.0]
    assert [width_in_words(width) for width in (3.4, 7.0, 5.5)] == ["single", "double", "5.5"]


@pytest.mark.parametrize("text", ["triple", "2.4", "14.1", "nan", "inf", "-3", ""])
def test_no_width(text: str) -> None:
    with pytest.raises(FigureOptionError) as caught:
        width_of(text)
    assert str(caught.value) == (
        f"no width {text!r}: give single (3.4 in), double (7.0 in), or 2.5 to 14 inches as a number"
    )


def test_all_text_grows_with_the_font(tmp_path: Path) -> None:
    file = tmp_path / "large.mplstyle"
    file.write_text("font.size: 16\nxtick.labelsize: 5\n")
    large, paper = style_of(str(file)).settings, style_of("paper").settings
    assert [large[name] for name in SIZES] == [16, 16, 5, 14, 14]
    assert [paper[name] for name in SIZES] == [8, 8, 7, 7, 7]
    assert style_of("talk").settings["font.size"] > paper["font.size"]


def test_fonts_stay_what_journals_accept(tmp_path: Path) -> None:
    file = tmp_path / "mine.mplstyle"
    file.write_text(
        "pdf.fonttype: 3\nps.fonttype: 3\ntext.usetex: True\npdf.use14corefonts: True\nsavefig.bbox: tight\n"
    )
    assert KEPT.items() <= dict(style_of(str(file)).settings).items()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"lines.linewidth: thick\n", "lines.linewidth"),
        (b"lines.widths: 2\n", "lines.widths"),
        (b"no colon\n", "no colon"),
        (b"backend: qtagg\n", "backend"),
        (b"\xff\xfe\x00\n", "cannot use"),
        (b"font.size: 0\n", "font.size"),
    ],
)
def test_what_is_no_style_file(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.mplstyle"
    file.write_bytes(content)
    with pytest.raises(FigureOptionError, match="cannot use the style file") as caught:
        style_of(str(file))
    assert str(file) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_style(tmp_path: Path) -> None:
    for text in ("gray", str(tmp_path), str(tmp_path / "nowhere.mplstyle")):
        with pytest.raises(FigureOptionError, match="give paper, talk, grey or the path of a matplotlib style file"):
            style_of(text)
