"""Which file belongs to which figure, and what became of those that were not drawn."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lrd.figures import FIGURES, DrawnFigures
from lrd.report.figures import MOST_PAGES, figures, undrawn


def test_a_figure_has_its_pages_and_numbers(drawn: DrawnFigures) -> None:
    flow, wall = figures(drawn)
    assert (wall.name, [picture.name for picture in wall.pictures]) == ("gap_wall", ["gap_wall", "gap_wall_2"])
    assert (flow.name, flow.numbers, flow.more) == ("gradient_flow", ("gradient_flow.csv",), 0)
    assert wall.pictures[1].alt.endswith("Page 2 (of 2). Its numbers are in figures/gap_wall_2.csv.")


def test_a_script_that_nobody_ordered_comes_last(tmp_path: Path) -> None:
    for name in ("aardvark", "gap_wall"):
        Image.new("RGB", (7, 7)).save(tmp_path / f"{name}.png")
    drawn = DrawnFigures(sorted(tmp_path.iterdir()), scripts=("aardvark", "gap_wall"))
    assert [figure.name for figure in figures(drawn)] == ["gap_wall", "aardvark"]


def test_the_longest_name_that_fits_is_the_script(tmp_path: Path) -> None:
    Image.new("RGB", (7, 7)).save(tmp_path / "regimes_late_2.png")
    (figure,) = figures(DrawnFigures([tmp_path / "regimes_late_2.png"], scripts=("regimes", "regimes_late")))
    assert figure.name == "regimes_late"


def test_of_many_pages_the_first_are_shown(tmp_path: Path) -> None:
    paths = [tmp_path / f"regimes_{page}.png" for page in range(MOST_PAGES + 3)]
    for path in paths:
        Image.new("RGB", (7, 7)).save(path)
    (figure,) = figures(DrawnFigures(paths, scripts=("regimes",)))
    assert (len(figure.pictures), figure.more) == (MOST_PAGES, 3)


def test_the_gradient_comes_first_then_what_was_learned() -> None:
    assert FIGURES[:4] == ("vanish_explode_retain", "gradient_flow", "gradient_heatmap", "regimes")
    assert FIGURES.index("slopes") < FIGURES.index("gap_wall") < FIGURES.index("walls")


def test_one_that_failed_is_not_one_that_nobody_asked_for() -> None:
    drawn = DrawnFigures(failed={"walls_2": "ValueError: a: b"}, scripts=("regimes", "walls"))
    assert undrawn(drawn) == ({}, ["regimes"])


def test_what_was_not_drawn_says_why() -> None:
    drawn = DrawnFigures(
        missing={"walls": "one gap: no wall", "survival": "nothing"}, scripts=("regimes", "survival", "walls")
    )
    assert undrawn(drawn) == ({"walls": "one gap: no wall", "survival": "nothing"}, ["regimes"])
    assert list(undrawn(drawn)[0]) == ["walls", "survival"]
