"""The figures of a report: the pictures that the scripts of ``analysis/`` drew, with how to read them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from lrd.figures import FIGURES, DrawnFigures
from lrd.report.reading import Reading, reading

MOST_PAGES = 12  # of one figure; the others lie beside the report
CSS_INCH = 96  # pixels


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, in the size that it has in a paper [CSS pixels]."""

    name: str
    source: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Figure:
    """All pages of one figure; ``more`` of them are not shown, ``numbers`` names the CSV files."""

    name: str
    reading: Reading
    pictures: tuple[Picture, ...]
    more: int
    numbers: tuple[str, ...]


def figures(drawn: DrawnFigures) -> list[Figure]:
    """Return the figures that were drawn, in the order of the report: that of the scripts."""
    mine: dict[str, list[Path]] = {}
    for path in drawn.paths:
        mine.setdefault(_script(path.stem, drawn.scripts), []).append(path)
    return [_figure(name, mine[name]) for name in sorted(mine, key=_place)]


def undrawn(drawn: DrawnFigures) -> tuple[dict[str, str], list[str]]:
    """Return why figures are not there.

    Returns:
        Why scripts had nothing to draw, by their names; and the names of those for which nothing was measured.
    """
    names = [*(path.stem for path in drawn.paths), *drawn.failed]
    done = {_script(name, drawn.scripts) for name in names}
    unmeasured = [name for name in sorted(drawn.scripts, key=_place) if name not in done | drawn.missing.keys()]
    return {name: drawn.missing[name] for name in sorted(drawn.missing, key=_place)}, unmeasured


def _script(stem: str, scripts: Sequence[str]) -> str:
    """Return the script that a file comes from: ``walls`` of ``walls_2``."""
    return max((name for name in scripts if stem == name or stem.startswith(f"{name}_")), key=len, default=stem)


def _place(name: str) -> tuple[int, str]:
    return (FIGURES.index(name) if name in FIGURES else len(FIGURES), name)


def _figure(name: str, paths: Sequence[Path]) -> Figure:
    pages = [path for path in paths if path.suffix == ".png"]
    words = reading(name)
    many = f" (of {len(pages)})" if len(pages) > 1 else ""
    pictures = []
    for page, path in enumerate(pages[:MOST_PAGES], 1):
        part = f" Page {page}{many}." if many else ""
        pictures.append(_picture(path, f"{words.title}{part} Its numbers are in figures/{path.stem}.csv."))
    tables = tuple(path.name for path in paths if path.suffix == ".csv")
    return Figure(name, words, tuple(pictures), len(pages) - len(pictures), tables)


def _picture(path: Path, alt: str) -> Picture:
    data = path.read_bytes()
    with Image.open(BytesIO(data)) as image:
        dots = float(image.info.get("dpi", (CSS_INCH, CSS_INCH))[0])
        width, height = (round(side * CSS_INCH / dots) for side in image.size)
    source = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(path.stem, source, width, height, alt)
