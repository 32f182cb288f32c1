"""Whatever a label says, figures are drawn, with the label on them and in their CSV."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from drawn import rows_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from synthetic import MadeStudy

from lrd.figures import draw_all, layout
from lrd.figures.drawable_text import LONGEST, literal, named
from lrd.figures.scripts import FIGURES, load_script
from lrd.records import open_study

gap_wall = load_script("gap_wall")

HOSTILE = (
    *("$\\frac{$", "5$", "$$", "$x", "\\$", "$" + "{" * 400 + "$", "$\\hspace{9999}$", "$\\notathing$"),
    *("a_b^c", "_hidden", "100 %", "%s", "{}", "<b>&amp;</b>", "\\", "# ~ & ^"),
    *("🚀", "👩‍🚀 crew", "网络", "שלום", "\u202eabc", "e\u0301", "\u00ad"),
    *("", "  ", "a\nb", "a\tb", "a b", "\x00", "\x1b[31m", "\ud800", "x" * 300, "x" * 299 + "y"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_drawn_alone_and_beside_mathtext(name: str) -> None:
    """A missing glyph is a warning, and that an error here; so is mathtext that cannot be parsed."""
    (drawn,) = named([name]).values()
    figure = Figure()
    for text in (
        drawn,
        f"{drawn}, $T$ = 3",
        f"$h_t$ of {drawn}",
        literal(name),
        literal(f"{name}, $T$"),
    ):
        figure.text(0.5, 0.5, text)
    FigureCanvasAgg(figure).draw()
    assert "\n" not in drawn
    assert "$" in name or len(drawn) <= LONGEST


def test_no_two_names_are_drawn_alike() -> None:
    drawn = named(HOSTILE)
    assert set(drawn) == set(HOSTILE)
    assert len(set(drawn.values())) == len(HOSTILE)


def test_plain_names_and_mathtext_stay_as_they_are() -> None:
    names = ("lstm", "bias −2", "rnn g=2", "$\\alpha$ = 0.5", "größe", "not clipped")
    assert named(names) == {name: name for name in names}
    assert [literal(name) for name in names] == list(names)


def test_a_dollar_is_a_dollar_beside_mathtext() -> None:
    (drawn,) = named(["5$"]).values()
    text = Figure().text(0, 0, f"{drawn}, $T$ = 3")
    shown, is_math = text._preprocess_math(text.get_text())
    assert is_math
    assert shown == "5\\$, $T$ = 3"


def test_a_legend_leaves_no_label_out() -> None:
    figure, [[axes]] = layout.grid(1, 1, 1.0)
    handles = axes.plot([0, 1]) + axes.plot([1, 0])
    layout.legend(figure, handles, ["_hidden", "lstm"])
    assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == ["_hidden", "lstm"]


def relabelled(study: MadeStudy, folder: Path, labels: dict[str, str]) -> Path:
    """A copy of a study with other labels."""
    shutil.copytree(study.folder, folder)
    for file in folder.glob("*/run.json"):
        run = json.loads(file.read_text(encoding="utf-8"))
        label = run["spec"]["cell"]["label"] or run["spec"]["cell"]["name"]
        run["spec"]["cell"]["label"] = labels.get(label, label)
        file.write_text(json.dumps(run))
    return folder


def test_a_csv_has_the_label_and_the_manifest_its_runs(study: MadeStudy, tmp_path: Path, tables_alone: None) -> None:
    labels = {"lstm": "$\\frac{$ " + "long " * 60, "rnn": "_🚀\na"}
    folder = relabelled(study, tmp_path / "made", labels)
    gap_wall.draw(open_study(folder), tmp_path / "out")
    assert {row["label"] for row in rows_of(tmp_path / "out" / "gap_wall.csv")} == {*labels.values(), "rnn g=2"}
    manifest = json.loads((tmp_path / "out" / "gap_wall.json").read_text(encoding="utf-8"))
    assert len(manifest["runs"]) == len(study.runs)


@pytest.mark.slow
def test_every_figure_is_drawn_whatever_labels_say(study: MadeStudy, tmp_path: Path) -> None:
    labels = {"lstm": "$\\frac{$ " + "long_" * 60, "rnn": "_🚀 100 %\na", "rnn g=2": "5$"}
    drawn = draw_all(open_study(relabelled(study, tmp_path / "made", labels)), tmp_path / "out")
    assert drawn.failed == drawn.missing == {}
    assert {re.sub(r"_\d+$", "", name) for name in drawn.figures} >= set(FIGURES)


def test_one_figure_that_fails_stops_no_other(
    study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables_alone: None
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of a\nstranger's numbers")

    monkeypatch.setattr(load_script("walls"), "draw", fail)
    monkeypatch.setattr("lrd.figures.drawn_figures.FIGURES", ("gap_wall", "walls", "survival"))
    drawn = draw_all(open_study(study.folder), tmp_path)
    assert drawn.failed == {"walls": "ZeroDivisionError: of a stranger's numbers"}
    assert drawn.figures == ["gap_wall", "survival"]


def test_a_page_that_cannot_be_saved_is_named_and_its_siblings_are_there(
    study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(figure: object, pdf: Path, png: Path) -> None:
        if pdf.stem == "gap_wall":
            raise RuntimeError("no ink")
        png.write_bytes(b"")

    monkeypatch.setattr("lrd.figures.pictures.write", write)
    monkeypatch.setattr("lrd.figures.drawn_figures.FIGURES", ("gap_wall", "walls"))
    drawn = draw_all(open_study(study.folder), tmp_path)
    assert drawn.failed == {"gap_wall": "RuntimeError: no ink"}
    assert drawn.figures == ["walls"]


def test_a_full_disk_is_no_figures_fault(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lrd.figures.pictures.write", write)
    monkeypatch.setattr("lrd.figures.drawn_figures.FIGURES", ("gap_wall", "walls"))
    with pytest.raises(OSError, match="No space left"):
        draw_all(open_study(study.folder), tmp_path)
