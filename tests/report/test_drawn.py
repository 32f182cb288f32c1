"""Which file belongs to which figure, and what became of those that were not drawn."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lrd.paths import analysis_module
from lrd.report.figures import MOST_PAGES, ORDER, Drawn, failed, figures, undrawn


def test_a_figure_has_its_pages_and_numbers(drawn: Drawn) -> None:
    flow, wall = figures(drawn)
    assert (wall.name, [picture.name for picture in wall.pictures]) == ("gap_wall", ["gap_wall", "gap_wall_2"])
    assert (flow.name, flow.numbers, flow.more) == ("gradient_flow", ("gradient_flow.csv",), 0)
    assert wall.pictures[1].alt.endswith("Page 2 (of 2). Its numbers are in figures/gap_wall_2.csv.")


def test_a_script_that_nobody_ordered_comes_last(tmp_path: Path) -> None:
    for name in ("aardvark", "gap_wall"):
        Image.new("RGB", (7, 7)).save(tmp_path / f"{name}.png")
    drawn = Drawn(sorted(tmp_path.iterdir()), [], ["aardvark", "gap_wall"])
    assert [figure.name for figure in figures(drawn)] == ["gap_wall", "aardvark"]


def test_the_longest_name_that_fits_is_the_script(tmp_path: Path) -> None:
    Image.new("RGB", (7, 7)).save(tmp_path / "regimes_late_2.png")
    (figure,) = figures(Drawn([tmp_path / "regimes_late_2.png"], [], ["regimes", "regimes_late"]))
    assert figure.name == "regimes_late"


def test_of_many_pages_the_first_are_shown(tmp_path: Path) -> None:
    paths = [tmp_path / f"regimes_{page}.png" for page in range(MOST_PAGES + 3)]
    for path in paths:
        Image.new("RGB", (7, 7)).save(path)
    (figure,) = figures(Drawn(paths, [], ["regimes"]))
    assert (len(figure.pictures), figure.more) == (MOST_PAGES, 3)


def test_the_gradient_comes_first_then_what_was_learned() -> None:
    assert ORDER[:4] == ("gradient_flow", "gradient_heatmap", "regimes", "slopes")
    assert ORDER.index("slopes") < ORDER.index("gap_wall") < ORDER.index("walls")
    assert set(ORDER) == set(analysis_module("common").figure_scripts())


def test_one_that_failed_is_not_one_that_nobody_asked_for() -> None:
    drawn = Drawn([], [], ["regimes", "walls"], ["walls_2: ValueError: a: b"])
    assert failed(drawn) == {"walls_2": "ValueError: a: b"}
    assert undrawn(drawn) == ({}, ["regimes"])


def test_what_was_not_drawn_says_why() -> None:
    drawn = Drawn([], ["walls: one gap: no wall", "survival: nothing"], ["regimes", "survival", "walls"])
    assert undrawn(drawn) == ({"walls": "one gap: no wall", "survival": "nothing"}, ["regimes"])
    assert list(undrawn(drawn)[0]) == ["walls", "survival"]
