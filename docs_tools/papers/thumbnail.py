"""A small picture of a study: its figure, drawn by lrd, in fewer dots and colours."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image

from lrd.figures import draw_all
from lrd.figures.scripts import load_script
from lrd.records import Study

WIDTH, HEIGHT = 480, 600  # dots, at most
LARGEST = 40_000  # bytes


def draw_thumbnail(study: Study, figure: str, file: Path) -> str:
    """Draw a figure of a study and write its first page, small, as PNG; return why there is none, or nothing.

    Args:
        study: as opened.
        figure: name of a script of ``analysis/``.
        file: to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw_all(study, Path(folder), own=[load_script(figure).draw])
        pictures = [path for path in drawn.paths if path.suffix == ".png"]
        if not pictures:
            return "; ".join([*drawn.missing.values(), *drawn.failed.values()]) or "nothing was drawn"
        with Image.open(pictures[0]) as picture:
            data = small(picture)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_bytes() != data:
        file.write_bytes(data)
    return ""


def small(picture: Image.Image) -> bytes:
    """Return a picture as PNG of at most 480 x 600 dots, with as many colours as leave it below 40 kB."""
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
    white.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    data = b""
    while not data or len(data) > LARGEST:
        for colours in (128, 64, 32, 16):
            kept = io.BytesIO()
            white.quantize(colours, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
            data = kept.getvalue()
            if len(data) <= LARGEST:
                return data
        white = white.resize((white.width * 9 // 10, white.height * 9 // 10), Image.Resampling.LANCZOS)
    return data
