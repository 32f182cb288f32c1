"""The figures of a report: the pictures that the scripts of ``analysis/`` drew, with how to read them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from lrd.report.reading import Reading, reading

#: What the gradient does, then what was learned, then what the state keeps; figures that are not named here follow.
ORDER = (
    *("gradient_flow", "gradient_heatmap", "regimes", "slopes", "lag_profiles", "gradient_norms"),
    *("phase_diagram", "lyapunov_slope"),
    *("gap_wall", "walls", "cell_pairs", "survival", "learning_curves", "outcomes"),
    *("gates_along_gap", "retention_along_gap", "closing_distance", "cost"),
)
MOST_PAGES = 12  # of one figure; the others lie beside the report
CSS_INCH = 96  # pixels


@dataclass(frozen=True)
class Drawn:
    """What was drawn: the files, a line ``script: reason`` for each that had nothing to draw, the names of all scripts.

    ``failed``: a line ``figure: reason`` for each that could not be drawn.
    """

    paths: Sequence[Path]
    missing: Sequence[str]
    scripts: Sequence[str]
    failed: Sequence[str] = ()


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


def figures(drawn: Drawn) -> list[Figure]:
    """The figures in the order of the report."""
    mine: dict[str, list[Path]] = {}
    for path in drawn.paths:
        mine.setdefault(_script(path.stem, drawn.scripts), []).append(path)
    return [_figure(name, mine[name]) for name in sorted(mine, key=_place)]


def undrawn(drawn: Drawn) -> tuple[dict[str, str], list[str]]:
    """Why scripts had nothing to draw, by their names; and the scripts that the study was not made for."""
    reasons = dict(line.split(": ", 1) for line in drawn.missing)
    names = [*(path.stem for path in drawn.paths), *failed(drawn)]
    done = {_script(name, drawn.scripts) for name in names}
    unasked = [name for name in sorted(drawn.scripts, key=_place) if name not in done | reasons.keys()]
    return {name: reasons[name] for name in sorted(reasons, key=_place)}, unasked


def failed(drawn: Drawn) -> dict[str, str]:
    """Why figures failed, by their names."""
    return dict(line.split(": ", 1) for line in drawn.failed)


def _script(stem: str, scripts: Sequence[str]) -> str:
    """The script that a file comes from: ``walls`` of ``walls_2``."""
    return max((name for name in scripts if stem == name or stem.startswith(f"{name}_")), key=len, default=stem)


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


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
