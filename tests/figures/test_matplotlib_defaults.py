"""Figures begin from matplotlib's defaults: nothing of the user's or the machine's is in their bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from synthetic import MadeStudy

from lrd.figures.scripts import load_script
from lrd.paths import ANALYSIS
from lrd.records import open_study

gap_wall = load_script("gap_wall")
walls = load_script("walls")

HOSTILE = {
    "axes.facecolor": "yellow",
    "axes.formatter.use_locale": True,
    "axes.grid": False,
    "figure.dpi": 31,
    "font.family": ["serif"],
    "lines.marker": "x",
    "mathtext.fontset": "cm",
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "path.sketch": (1, 100, 2),
}


@pytest.mark.slow
def test_the_bytes_are_those_of_the_defaults(study: MadeStudy, tmp_path: Path) -> None:
    for place, settings in (("plain", {}), ("hostile", HOSTILE)):
        with matplotlib.rc_context(settings):
            before = dict(matplotlib.rcParams)
            gap_wall.draw(open_study(study.folder), tmp_path / place)
            assert dict(matplotlib.rcParams) == before
    for path in (tmp_path / "plain").iterdir():
        assert path.read_bytes() == (tmp_path / "hostile" / path.name).read_bytes(), path.name


def test_no_backend_is_asked_for(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matplotlib.pyplot.figure", None)
    monkeypatch.setattr("matplotlib.pyplot.switch_backend", None)
    assert walls.draw(open_study(study.folder), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("matplotlibrc", [b"axes.facecolor: yellow\nfont.size: 20\n", b"\xff\xfe"])
def test_whatever_the_machine_says(matplotlibrc: bytes, study: MadeStudy, tmp_path: Path) -> None:
    walls.draw(open_study(study.folder), tmp_path / "here")
    there, home = tmp_path / "there", tmp_path / "home"
    (home / ".config" / "matplotlib" / "stylelib").mkdir(parents=True)
    (home / ".config" / "matplotlib" / "stylelib" / "mine.mplstyle").write_bytes(b"\xff\xfe")
    (home / "matplotlibrc").write_bytes(matplotlibrc)
    surroundings = {
        "HOME": str(home),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "1",
    }
    line = [sys.executable, str(ANALYSIS / "walls.py"), str(study.folder), "--out", str(there)]
    done = subprocess.run(line, cwd=home, env=os.environ | surroundings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "here").glob("*.p*"):
        assert path.read_bytes() == (there / path.name).read_bytes(), path.name
