"""Where gaps stand: on a logarithmic axis, and on one that has room for 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import rows_of
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

from lrd.figures import draw_all, gap_axis, layout
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

gap_wall = load_script("gap_wall")

some_gaps = st.lists(st.integers(0, 5000), min_size=1, max_size=6, unique=True).map(sorted)


def laid_out(gaps: list[int]) -> Axes:
    _, ((axes,),) = layout.grid(1, 1, 1.0)
    gap_axis.lay_out(axes, gaps, *gap_axis.edges(gaps, 1.25))
    return axes


def test_above_zero_moving_is_multiplying() -> None:
    assert gap_axis.edges([10, 40], 1.25) == pytest.approx([8, 50])
    assert gap_axis.aside([10, 40], [10, 20], 0.5) == pytest.approx([20, 40])  # half of a factor of 4
    assert gap_axis.aside([30], 30, 0.1) == pytest.approx(30 * np.exp(0.1))
    assert gap_axis.between([10, 40], 10, 1000, 3) == pytest.approx([10, 100, 1000])
    assert laid_out([10, 40]).get_xscale() == "log"


def test_the_share_of_the_way_to_a_place() -> None:
    assert [gap_axis.share_of([10, 1000], place) for place in (10, 100, 1000)] == pytest.approx([0, 0.5, 1])
    assert gap_axis.share_of([0, 10, 100], 10) == pytest.approx(gap_axis.ROOM / (gap_axis.ROOM + 1))
    assert gap_axis.share_of([30], 30) == 0


def test_zero_stands_half_a_decade_from_the_least_gap() -> None:
    axes = laid_out([0, 10, 100])
    zero, least, most = axes.transData.transform([[gap, 0] for gap in (0, 10, 100)])[:, 0]
    assert (least - zero) / (most - least) == pytest.approx(gap_axis.ROOM)
    assert axes.get_xlim()[0] < 0


@given(some_gaps)
def test_what_is_moved_back_is_where_it_was(gaps: list[int]) -> None:
    there = gap_axis.aside(gaps, gaps, 0.1)
    assert gap_axis.aside(gaps, there, -0.1) == pytest.approx(gaps, rel=1e-9, abs=1e-9)
    assert (there > gaps).all()
    low, high = gap_axis.edges(gaps, 1.2)
    assert low < gaps[0] <= gaps[-1] < high


def made(root: Path, gaps: tuple[int, ...], outcomes: str) -> Path:
    """A study of one cell, with one run a gap and letter: (s)olved or (u)nsolved."""
    for gap in gaps:
        for seed, outcome in enumerate(outcomes):
            record = RunRecord(root, "zero", f"run{gap}{seed}")
            spec = {"task": {"name": "digits", "gap": gap}, "cell": {"name": "lstm", "label": None}, "seed": seed}
            record.create({"spec": spec, "task": {"sequence_length": 784 + gap}, "parameters": 1})
            record.status("running", update=5, max_updates=5)
            record.finish({"outcome": {"s": "solved", "u": "unsolved"}[outcome], "update": 5, "seconds": 1.0})
    return root / "zero"


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [(0,), (0, 10), (0, 10, 100)])
def test_figures_of_a_study_with_gap_zero(gaps: tuple[int, ...], tmp_path: Path) -> None:
    """The walls, the critical gaps and the costs are drawn; runs without a gap count in the walls alone."""
    folder = made(tmp_path, gaps, "ssuu")
    drawn = draw_all(open_study(folder), tmp_path / "figures").paths
    names = {path.name for path in drawn}
    assert {"gap_wall.png", "cost.png"} <= names
    assert [row["gap"] for row in rows_of(tmp_path / "figures" / "gap_wall.csv")] == [str(gap) for gap in gaps]
    assert ("walls.png" in names) == (len(gaps) > 1)
    if len(gaps) > 1:
        (row,) = rows_of(tmp_path / "figures" / "walls.csv")
        assert (row["gap"], row["least_tried"], row["tried"]) == (str(gaps[-1]), "0", str(gaps[-1]))
        assert (row["critical_gap"] == "") == (len(gaps) == 2)


def test_a_wall_has_all_of_its_points_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, Axes]] = []
    kept = Axes.errorbar

    def watched(axes: Axes, x: np.ndarray, *rest: Any, **more: Any) -> Any:
        seen.append((np.asarray(x), axes))
        return kept(axes, x, *rest, **more)

    monkeypatch.setattr(Axes, "errorbar", watched)
    gap_wall.draw(open_study(made(tmp_path, (0, 10), "su")), tmp_path)
    for places, axes in seen:
        low, high = axes.get_xlim()
        assert ((low < places) & (places < high)).all()
    assert seen
