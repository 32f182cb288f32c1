"""Figures of one's own by ``lrd figures --script``: the same options and manifest, and one line for every mistake."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from commands import LRD, ROOT, run
from synthetic import MadeStudy

from lrd.cli import main
from lrd.records import open_study

EXAMPLE = ROOT / "docs" / "examples" / "my_figure.py"
SHORT = """
from lrd.figures import FigureScript, layout, save_figure

@FigureScript
def draw(study, out):
    figure, [[panel]] = layout.grid(1, 1, 1.0)
    panel.plot([1, 2])
    {line}
    return save_figure(figure, out, "NAME", [{{"value": 1}}])
"""


def script(folder: Path, name: str, line: str = "pass") -> Path:
    path = folder / f"{name}.py"
    path.write_text(SHORT.format(line=line).replace("NAME", name))
    return path


@pytest.mark.slow
def test_the_example_of_the_docs(study: MadeStudy, tmp_path: Path) -> None:
    command = [LRD, "figures", str(study.folder), "--script", str(EXAMPLE), "--filter", "gap = 10", "--width", "3"]
    done = run([*command, "--out", "here"], tmp_path)
    assert done.stdout.splitlines()[1:] == ["  my_figure"]
    assert done.stderr == ""
    out = tmp_path / "here"
    assert sorted(path.suffix for path in out.iterdir()) == [".csv", ".json", ".pdf", ".png"]
    with (out / "my_figure.csv").open(encoding="utf-8") as file:
        rows = {row["run_id"]: row for row in csv.DictReader(file)}
    made = {made.run_id: made for made in study.runs if made.gap == 10 and made.state == "finished"}
    assert rows.keys() == made.keys()
    for run_id, one in made.items():
        profile = one.profiles[int(one.updates[-1]), "h"]
        assert float(rows[run_id]["near"]) == pytest.approx(profile[-1])
        assert float(rows[run_id]["far"]) == pytest.approx(profile[0])
    known = json.loads((out / "my_figure.json").read_text(encoding="utf-8"))
    assert known["command"] == "lrd figures made --filter 'gap = 10' --width 3 --script my_figure.py"
    assert known["script"] == {"name": "my_figure.py", "sha256": hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()}
    assert known["runs"] == sorted(made)
    assert known["width"] == 3


def test_the_example_is_short() -> None:
    body = EXAMPLE.read_text(encoding="utf-8").partition('"""\n\n')[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30


@pytest.mark.usefixtures("tables_alone")
def test_several_scripts_and_a_manifest_each(
    study: MadeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for name in ("one", "two") for word in ("--script", str(script(tmp_path, name)))]
    assert main(["figures", str(study.folder), "--out", str(tmp_path / "out"), "--style", "grey", *given]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[1:] == ["  one", "  two"]
    for name in ("one", "two"):
        known = json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
        assert known["command"] == f"lrd figures made --style grey --script {name}.py"
        assert known["style"] == {"name": "grey"}
        assert len(known["runs"]) == len(study.runs)  # of a script that says nothing of runs: all


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "mine.py is no figure script: it defines no draw(study, out)"),
        ("def draw(study, out): return []\n", "mine.py is no figure script: its draw is not decorated with @FigureS"),
        ("def draw(:\n", "mine.py, line 1: invalid syntax"),
        ("import os\n1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        (
            SHORT.format(line="pass") + "import sys\nfrom lrd.figures import main\nsys.exit(main(draw, ''))",
            "mine.py ends ",
        ),
        ("\udce9", "cannot read the script {path}: it is no text in UTF-8"),
        (None, "cannot read the script {path}: No such file or directory"),
    ],
)
def test_what_is_no_script_is_one_line(
    text: str | None, said: str, study: MadeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert main(["figures", str(study.folder), "--out", str(tmp_path / "out"), "--script", str(path)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lrd: " + said.format(path=path))
    assert output.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}['x']", "failed: mine: mine.py, line 8: KeyError: 'x'"),
        (
            "import sys; sys.exit(4)",
            "failed: mine: mine.py, line 8: RuntimeError: its draw ends the program, sys.exit(4)",
        ),
        ("return None", "failed: mine: TypeError: its draw must return the list of files that save_figure returns"),
        *(
            (
                f"study.{asks}('select * from lyapunow')",
                "not drawn: mine: the study has no table lyapunow; did you mean 'lyapunov'?; it has runs, metrics, "
                "gradient_flow, gradient_fit, TABLES; lrd probe measures what a probe was not asked for in training",
            )
            for asks in ("sql", "columns")
        ),
        ("from lrd.figures import NotMeasuredError; raise NotMeasuredError('no `x`')", "not drawn: mine: no `x`"),
    ],
)
def test_a_script_that_fails_is_one_line_and_stops_no_other(
    line: str, said: str, study: MadeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, right = script(tmp_path, "mine", line), script(tmp_path, "other")
    given = ["--script", str(wrong), "--script", str(right), "--out", str(tmp_path / "out")]
    assert main(["figures", str(study.folder), *given]) == 1
    further = ", ".join(open_study(study.folder).tables[3:])
    assert capsys.readouterr().err == f"lrd: {said.replace('TABLES', further)}\n"
    assert (tmp_path / "out" / "other.json").exists()
    assert not (tmp_path / "out" / "mine.json").exists()


@pytest.mark.usefixtures("tables_alone")
def test_a_script_may_import_what_lies_beside_it(study: MadeStudy, tmp_path: Path) -> None:
    (tmp_path / "helper_of_mine.py").write_text("VALUE = 1\n")
    mine = script(tmp_path, "mine", "import helper_of_mine")
    main(["figures", str(study.folder), "--out", str(tmp_path / "out"), "--script", str(mine)])
    assert (tmp_path / "out" / "mine.csv").exists()


@pytest.mark.usefixtures("tables_alone")
def test_one_drawn_as_a_program_has_its_name_in_the_manifest(study: MadeStudy, tmp_path: Path) -> None:
    from lrd.figures import main
    from lrd.figures.scripts import load_own_script

    draw = load_own_script(script(tmp_path, "mine"))
    assert main(draw, "", [str(study.folder), "--out", str(tmp_path / "out")]) == 0
    known = json.loads((tmp_path / "out" / "mine.json").read_text(encoding="utf-8"))
    assert known["command"] == "python mine.py made"
    assert known["runs_of_study"] == len(open_study(study.folder).columns("select run_id from runs")["run_id"])
