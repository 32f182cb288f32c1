"""What a figure looks like as a file: labels in one line, as matplotlib itself aligns them, and no empty layers."""

from __future__ import annotations

import resource
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image

from lrd.figures import FigureScript, layout, page_processes, pictures, save_figure
from lrd.records import RecordError


def uneven() -> Figure:
    """Two columns of panels whose ticks are as wide as their numbers; of the second one label is not there."""
    figure, panels = plt.subplots(3, 2, layout="constrained", figsize=(5, 6))
    for row, (left, right) in enumerate(panels):
        left.plot([0, 10.0 ** (2 * row)])
        right.plot([0, 10.0 ** (4 - 2 * row)])
        left.set_ylabel("loss")
    panels[0, 1].set_ylabel("two\nlines")
    panels[2, 1].set_ylabel("norm")
    return figure


def labels(figure: Figure) -> list[tuple[float, ...]]:
    """Where the labels of y axes are, as a PDF has them [points]."""
    figure.set_layout_engine(None)
    FigureCanvasPdf(figure)
    figure.dpi = 72
    figure.draw_without_rendering()
    return [axes.yaxis.label.get_window_extent().bounds for axes in figure.axes if axes.get_ylabel()]


def test_labels_are_where_matplotlib_aligns_them(tmp_path: Path) -> None:
    expected, found = uneven(), uneven()
    expected.align_ylabels()
    FigureCanvasPdf(expected)
    expected.dpi = 72
    expected.draw_without_rendering()
    pictures.write(found, tmp_path / "found.pdf", tmp_path / "found.png")
    places = labels(found)
    np.testing.assert_allclose(places, labels(expected), atol=1e-6)
    lefts = [bounds[0] for bounds in (places[0], *places[2:4])]  # of the first column
    np.testing.assert_allclose(lefts, lefts[0], atol=1e-6)
    plt.close("all")


@pytest.mark.parametrize("transparent", [False, True])
def test_a_picture_has_transparency_only_where_it_is_asked_for(transparent: bool, tmp_path: Path) -> None:
    figure, _ = plt.subplots(figsize=(2, 1), layout="constrained")
    with matplotlib.rc_context({"savefig.transparent": transparent, "savefig.dpi": 150}):
        pictures.write(figure, tmp_path / "one.pdf", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        assert image.mode == ("RGBA" if transparent else "RGB")
        assert image.size == (300, 150)
        assert image.info["dpi"] == pytest.approx((150, 150), rel=1e-3)  # a PNG counts dots a metre
    plt.close(figure)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("room", [0, 300, 3000])  # bytes a file; the PDF takes some 8000
def test_a_file_that_cannot_be_written_is_one_line(
    cores: int, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_processes, "_cores", lambda: cores)

    @FigureScript
    def draw(study: object, out: Path) -> list[Path]:
        figure, [[panel]] = layout.grid(1, 1, 1.0)
        panel.plot(range(50))
        return save_figure(figure, out, "page", [{"panel": name, "loss": 0.5} for name in range(500)])

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(RecordError, match=rf"^cannot write {tmp_path}/page\.\w+: the file is larger"):
            draw(None, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
