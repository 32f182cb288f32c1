"""Studies to report on, and what was drawn of them, made once a session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))  # for ``synthetic``

from PIL import Image
from synthetic import MadeStudy, make_study

from lrd.figures import DrawnFigures


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    """Two cells, two tasks, two gaps, two seeds; one run of each task failed and one was interrupted."""
    root = tmp_path_factory.mktemp("reported")
    return MadeStudy(root / "made", make_study(root, labels=("rnn", "lstm"), seeds=2))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnFigures:
    """A figure of two pages, another of one, and a script that had nothing to draw; pictures of 350 x 100 dots."""
    folder = tmp_path_factory.mktemp("drawn")
    paths = []
    for place, stem in enumerate(("gradient_flow", "gap_wall", "gap_wall_2")):
        for suffix in ("pdf", "png", "csv"):
            path = folder / f"{stem}.{suffix}"
            paths.append(path)
            if suffix == "png":
                Image.new("RGB", (350, 100), (40 * place, 90, 160)).save(path, dpi=(200, 200))
            else:
                path.write_text("panel\n")
    missing = {"walls": "the study <b> has one gap"}
    return DrawnFigures(paths, missing, scripts=("gap_wall", "gradient_flow", "regimes", "walls"))
