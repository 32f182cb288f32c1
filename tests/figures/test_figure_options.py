"""How figures are asked for, by the files that come of it: widths, styles, manifests, studies side by side."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn import rows_of
from synthetic import make_study

from lrd import cli
from lrd.figures import FigureOptions, FigureScript, LineStyle, layout, line_styles, main, runs_of
from lrd.figures.scripts import load_script
from lrd.figures.styles import style_of
from lrd.records import open_study, read_json, write_json

QUICK = ("gap_wall", "learning_curves")


def draw(script: str, *arguments: object) -> int:
    module = load_script(script)
    return main(module.draw, module.__doc__, list(map(str, arguments)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two studies whose runs have the same ids; the second has no ``rnn g=2``."""
    root = tmp_path_factory.mktemp("pair")
    make_study(root, "one", tasks=("copy",), gaps=(10, 30), seeds=3)
    make_study(root, "two", tasks=("copy",), gaps=(10, 30), labels=("lstm", "rnn"), seeds=2)
    return root / "one", root / "two"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "pixels"), [("single", 680), ("5", 1000)])
def test_a_width_arrives_in_the_file(width: str, pixels: int, pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert draw("gap_wall", pair[0], "--out", tmp_path, "--width", width) == 0
    assert plt.imread(tmp_path / "gap_wall.png").shape[1] == pixels  # 200 a inch
    assert json.loads((tmp_path / "gap_wall.json").read_text(encoding="utf-8"))["width"] == pixels / 200


def test_panels_fold_where_they_would_not_fit() -> None:
    found = []
    drawn = FigureScript(lambda study: found.append((layout.across(4), layout.across(3, 2.3), layout.scale())) or [])
    for name, width in (("paper", None), ("paper", 3.4), ("paper", 2.5), ("talk", None), ("talk", 3.4)):
        drawn(None, options=FigureOptions(style_of(name), width))
    assert found == [(4, 3, 1), (2, 1, 1), (1, 1, 1), (2, 2, 1.5), (1, 1, 1.5)]


@pytest.mark.slow
def test_grey_is_grey_and_fonts_are_embedded(pair: tuple[Path, Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.mplstyle"
    mine.write_text("pdf.fonttype: 3\nfont.size: 10\n")
    for script in ("gap_wall", "gradient_heatmap"):
        few = ("--filter", "gap = 10 and seed < 2")
        assert draw(script, pair[0], "--out", tmp_path / "grey", "--style", "grey", *few) == 0
        picture = plt.imread(tmp_path / "grey" / f"{script}.png")
        assert (picture[..., 0] == picture[..., 1]).all()
        assert (picture[..., 1] == picture[..., 2]).all()
    assert draw("gap_wall", pair[0], "--out", tmp_path / "mine", "--style", mine) == 0
    content = (tmp_path / "mine" / "gap_wall.pdf").read_bytes()
    assert b"/CIDFontType2" in content
    assert not re.search(rb"/Subtype\s*/Type3", content)
    known = json.loads((tmp_path / "mine" / "gap_wall.json").read_text(encoding="utf-8"))
    assert known["style"] == {"name": "mine.mplstyle", "sha256": hashlib.sha256(mine.read_bytes()).hexdigest()}


def test_labels_in_grey_differ_by_marker_and_level() -> None:
    found: dict[str, LineStyle] = {}
    names = ["lstm", "rnn", "gru", "rnn g=2"]
    FigureScript(lambda study: found.update(line_styles(names)) or [])(None, options=FigureOptions(style_of("grey")))
    assert len({style.marker for style in found.values()}) == len(names)
    levels = sorted(int(style.colour[1:3], 16) for style in found.values())
    assert min(np.diff(levels)) >= 0.1 * 255
    assert all(style.colour[1:3] == style.colour[3:5] == style.colour[5:] for style in found.values())


def test_thicker_lines_in_a_talk(pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[list[float]] = []

    def seen(self: Any, *_: Any, **__: Any) -> None:
        widths.append([line.get_linewidth() for axes in self.axes for line in axes.lines])

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", seen)
    monkeypatch.setattr("lrd.figures.pictures._write_png", lambda *_: None)
    monkeypatch.setattr("lrd.figures.page_processes._cores", lambda: 1)  # so that it is this process that draws
    for name in ("paper", "talk"):
        assert draw("learning_curves", pair[0], "--out", tmp_path, "--style", name) == 0
    paper, talk = widths
    assert np.allclose(talk, 1.5 * np.array(paper))


def test_a_manifest_says_what_was_drawn(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "one"
    shutil.copytree(pair[0], folder)
    chosen = [
        path for path in sorted(folder.iterdir()) if read_json(path / "run.json")["spec"]["cell"]["name"] == "lstm"
    ]
    environment = read_json(chosen[0] / "environment.json")
    write_json(chosen[0] / "environment.json", environment | {"commit": "c" * 40, "lrd": "0.0.9"})
    (folder / "junk").mkdir()
    (chosen[1] / "metrics.parquet").write_bytes(b"PAR1")
    arguments = (folder, "--out", tmp_path / "out", "--filter", "cell = 'lstm'", "--width", "3.4")
    for script in QUICK:
        assert draw(script, *arguments) == 0
    capsys.readouterr()
    wall, curves = (json.loads((tmp_path / "out" / f"{script}.json").read_text(encoding="utf-8")) for script in QUICK)
    assert wall["runs"] == [path.name for path in chosen]
    assert curves["runs"] == [path.name for path in chosen if path != chosen[1]]
    assert wall["left_out"] == [line for line in wall["left_out"] if line.startswith("junk is no run")] != []
    assert [line.split(":")[0] for line in curves["left_out"] if "junk" not in line] == [
        f"cannot read {chosen[1].name}/metrics.parquet"
    ]
    names = ("lrd", "commit", "dirty", "python", "torch")
    expected = [
        {name: environment[name] for name in names} | {"runs": len(chosen) - 1},
        {name: environment[name] for name in names} | {"commit": "c" * 40, "lrd": "0.0.9", "runs": 1},
    ]
    assert sorted(wall["trained_with"], key=str) == sorted(expected, key=str)
    for script, known in zip(QUICK, (wall, curves), strict=True):
        table = (tmp_path / "out" / f"{script}.csv").read_bytes()
        assert known["csv"] == {"name": f"{script}.csv", "sha256": hashlib.sha256(table).hexdigest()}
        assert known["figure"] == script
        assert known["studies"] == ["one"]
        assert known["runs_of_study"] == len(chosen)
        assert (
            known["command"] == f"python analysis/{script}.py one --filter 'cell = '\"'\"'lstm'\"'\"'' --width single"
        )
        assert known["drawn_with"]["commit"] == environment["commit"]
        assert str(tmp_path) not in json.dumps(known)


def test_equal_bytes_however_it_is_spelled(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert draw("gap_wall", pair[0], "--out", tmp_path / "a", "--width", "single", "--compare", pair[1]) == 0
    monkeypatch.chdir(pair[0])
    assert draw("gap_wall", ".", "--compare=../two", "--width=3.40", f"--out={tmp_path / 'b'}", "--style=paper") == 0
    files = sorted((tmp_path / "a").iterdir())
    assert [path.suffix for path in files] == [".csv", ".json", ".pdf", ".png"]
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.usefixtures("numbers_alone")
@pytest.mark.parametrize("script", ["gap_wall", "learning_curves", "gradient_flow", "lyapunov_slope", "walls"])
def test_compared_numbers_are_those_drawn_alone(script: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Each row of the figure of both is a row of the figure of one, and none is lost; runs of equal id too."""

    def rows(name: str) -> list[dict[str, str]]:
        return [row for path in sorted((tmp_path / name).glob("*.csv")) for row in rows_of(path)]

    assert draw(script, pair[0], "--out", tmp_path / "one") == 0
    assert draw(script, pair[1], "--out", tmp_path / "two") == 0
    assert draw(script, pair[0], "--compare", pair[1], "--out", tmp_path / "both") == 0
    expected = []
    for name in ("one", "two"):
        for row in rows(name):
            label = row["label"] if row["label"] == "rnn g=2" else f"{row['label']} ({name})"
            ids = {"run_id": f"{name}/{row['run_id']}"} if "run_id" in row else {}
            expected.append(row | {"label": label} | ids)
    assert sorted(rows("both"), key=str) == sorted(expected, key=str)
    known = json.loads((tmp_path / "both" / f"{script}.json").read_text(encoding="utf-8"))
    assert known["studies"] == ["one", "two"]
    assert {run.split("/")[0] for run in known["runs"]} == {"one", "two"}


@pytest.mark.usefixtures("numbers_alone")
def test_a_condition_holds_for_both(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lrd.figures.drawn_figures.FIGURES", ("gap_wall",))
    arguments = [str(pair[0]), "--compare", str(pair[1]), "--filter", "cell = 'lstm'", "--out", str(tmp_path)]
    assert cli.main(["figures", *arguments]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.split(",")[0] for line in said.out.splitlines()] == [f"1 figure in {tmp_path}"]
    with (tmp_path / "gap_wall.csv").open(encoding="utf-8") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"lstm (one)", "lstm (two)"}
    known = json.loads((tmp_path / "gap_wall.json").read_text(encoding="utf-8"))
    assert known["filter"] == "cell = 'lstm'"
    assert known["command"].startswith("lrd figures one --compare two --filter ")


def test_a_label_of_another_study_keeps_colour_and_shape(pair: tuple[Path, Path]) -> None:
    from lrd.records import combine_studies

    labels = runs_of(combine_studies([open_study(path) for path in pair]))["label"]
    found = line_styles(labels)
    assert list(found) == ["lstm (one)", "lstm (two)", "rnn (one)", "rnn (two)", "rnn g=2"]
    for cell in ("lstm", "rnn"):
        one, two = found[f"{cell} (one)"], found[f"{cell} (two)"]
        assert one == line_styles([cell])[cell]
        assert two.colour == one.colour
        assert two.core == "white"
        assert two.marker != one.marker


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--style", "gray"], "no style 'gray'"),
        (["--width", "wide"], "no width 'wide'"),
        (["--compare", "nowhere"], "there is no study at nowhere"),
        (["--compare", "{study}"], "is given twice"),
        (["--out", __file__], f"--out: {__file__} is a file; give a folder"),
    ],
)
def test_a_wrong_value_is_one_line(
    arguments: list[str], says: str, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part.format(study=pair[0]) for part in arguments]
    assert draw("gap_wall", pair[0], "--out", tmp_path / "a", *given) != 0
    first = capsys.readouterr()
    assert cli.main(["figures", str(pair[0]), "--out", str(tmp_path / "a"), *given]) == 2
    second = capsys.readouterr()
    for output in (first, second):
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert says in output.err
    assert not (tmp_path / "a").exists()


def test_a_study_that_is_not_there_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw("gap_wall", tmp_path / "nope") == 1
    assert capsys.readouterr().err == (
        f"there is no study at {tmp_path / 'nope'}: give the folder of one, such as runs/demo\n"
    )
