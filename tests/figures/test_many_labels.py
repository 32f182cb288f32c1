"""Figures of more labels than one panel holds: the same numbers, in more panels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import rows_of
from matplotlib.axes import Axes
from synthetic import MadeStudy

from lrd.figures import facet, gap_axis, layout, line_styles
from lrd.figures.gradient_panel import draw_panel
from lrd.figures.scripts import load_script
from lrd.records import open_study
from lrd.stats import band

gap_wall = load_script("gap_wall")
gates_along_gap = load_script("gates_along_gap")
gradient_flow = load_script("gradient_flow")
regimes = load_script("regimes")

pytestmark = pytest.mark.usefixtures("numbers_alone")


@pytest.mark.slow
@pytest.mark.parametrize("module", [gates_along_gap, gradient_flow, regimes], ids=lambda module: module.__name__)
def test_no_number_is_lost(module: Any, study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(out: Path) -> tuple[list[list[tuple[str, str]]], int]:
        module.draw(open_study(study.folder), out)
        files = list(out.glob("*.csv"))
        return sorted(list(row.items()) for path in files for row in rows_of(path)), len(files)

    together, files = rows(tmp_path / "together")
    monkeypatch.setattr(facet, "MOST", 0)
    alone, more = rows(tmp_path / "alone")
    assert together == alone
    assert more == {gates_along_gap: 1, gradient_flow: files, regimes: 2}[module]  # of 4, 4 and 12 rows of panels


def recorded(monkeypatch: pytest.MonkeyPatch, method: str) -> list[tuple[Any, ...]]:
    """The arguments of every call of a method of a panel from now on."""
    calls: list[tuple[Any, ...]] = []
    kept: Callable[..., Any] = getattr(Axes, method)
    monkeypatch.setattr(Axes, method, lambda self, *args, **kwargs: calls.append(args) or kept(self, *args, **kwargs))
    return calls


def test_one_gap_stands_in_the_middle(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = recorded(monkeypatch, "set_xlim")
    opened = open_study(study.folder)
    opened.sql("create or replace table runs as select * from runs where gap = 30")
    gap_wall.draw(opened, tmp_path)
    chosen = [call for call in limits if len(call) == 2]  # errorbar, too, sets limits, as one pair
    assert len(chosen) == 2  # tasks
    for low, high in chosen:
        assert low * high == pytest.approx(30**2)
        # the outermost of three labels, one place from the middle, lies well inside
        assert gap_axis.aside([30], 30, gap_wall.DODGE) < 30 * (high / 30) ** 0.5


def test_texts_of_lines_that_leave_together_are_stacked() -> None:
    _, ((axes,),) = layout.grid(1, 1, 1.5)
    steps = np.arange(400)
    profiles = {
        ("lstm", variable, "end"): (steps, band([-rate * (399 - steps)])) for variable, rate in (("h", 1.0), ("c", 0.9))
    }
    draw_panel(axes, profiles, dict.fromkeys(profiles, 0.0), line_styles(["lstm"]), 399, "panel")
    first, second = (text.xyann[1] for text in axes.texts)
    assert second - first >= layout.SMALL  # points: the height of a line
