"""The scripts as a researcher runs them: files, bytes, one clear line when there is nothing to draw."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from synthetic import MadeStudy

from lrd.figures import draw_all, main
from lrd.figures.scripts import FIGURES, load_script
from lrd.paths import ANALYSIS
from lrd.records import open_study

SCRIPTS = tuple(sorted(FIGURES))


@pytest.fixture(scope="module")
def drawn(study: MadeStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn")
    found = draw_all(open_study(study.folder), out)
    assert found.missing == found.failed == {}
    assert sorted(found.paths) == sorted(out.iterdir())
    return out


def elsewhere(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, from another folder, with another hash seed and matplotlib configuration."""
    environment = os.environ | {"PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(cwd), "OMP_NUM_THREADS": "1"}
    (cwd / "matplotlibrc").write_text("font.size: 20\npdf.fonttype: 3\n")
    line = [sys.executable, *map(str, command)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, env=environment, timeout=300)


def run(script: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A script as a program."""
    return elsewhere(ANALYSIS / f"{script}.py", *arguments, cwd=cwd)


def test_every_figure_is_found() -> None:
    assert {path.stem for path in ANALYSIS.glob("*.py")} == set(SCRIPTS)


@pytest.mark.slow
def test_files_are_there_and_are_what_they_say(drawn: Path) -> None:
    for script in SCRIPTS:
        assert (drawn / f"{script}.pdf").read_bytes().startswith(b"%PDF")
        assert (drawn / f"{script}.png").read_bytes().startswith(b"\x89PNG")
        assert (drawn / f"{script}.csv").read_text(encoding="utf-8").startswith("panel,")


@pytest.mark.slow
def test_every_table_stands_in_a_manifest(drawn: Path) -> None:
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in drawn.glob("*.json")]
    found = {one["csv"]["name"]: one["csv"]["sha256"] for one in manifests}
    assert found == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in drawn.glob("*.csv")}
    pairs = json.loads((drawn / "survival_pairs.json").read_text(encoding="utf-8"))
    whole = json.loads((drawn / "survival.json").read_text(encoding="utf-8"))
    assert pairs["width"] is None
    assert pairs["runs"] == whole["runs"]  # every panel has several cells


def test_pdf_fonts_are_what_journals_accept(drawn: Path) -> None:
    for script in SCRIPTS:
        content = (drawn / f"{script}.pdf").read_bytes()
        assert b"/CIDFontType2" in content
        assert not re.search(rb"/Subtype\s*/Type3", content)
        assert b"CreationDate" not in content


def test_figures_are_two_columns_wide(drawn: Path) -> None:
    for script in SCRIPTS:
        assert plt.imread(drawn / f"{script}.png").shape[1] == 1400  # 7.0 in at 200 dpi


@pytest.mark.slow
def test_drawn_again_elsewhere_gives_equal_bytes(study: MadeStudy, drawn: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from lrd.figures import draw_all; from lrd.records import open_study\n"
    code += "draw_all(open_study(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    done = elsewhere("-c", code, study.folder, tmp_path / "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    files = sorted((tmp_path / "again").iterdir())
    assert [path.name for path in files] == sorted(path.name for path in drawn.iterdir())
    for path in files:
        assert path.read_bytes() == (drawn / path.name).read_bytes(), path.name


@pytest.mark.slow
def test_a_script_is_a_program(study: MadeStudy, drawn: Path, tmp_path: Path) -> None:
    done = run("gap_wall", study.folder, "--out", tmp_path / "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    files = sorted((tmp_path / "again").iterdir())
    assert [str(path) for path in files] == sorted(done.stdout.split())
    assert {path.suffix for path in files} == {".pdf", ".png", ".csv", ".json"}
    for path in files:
        there = (drawn / path.name).read_bytes()
        if path.suffix == ".json":  # but for the command: a program, this one, drew the others
            there = there.replace(b'"command": null', b'"command": "python analysis/gap_wall.py made"')
        assert path.read_bytes() == there, path.name


def test_every_script_ends_in_its_command_line() -> None:
    for script in SCRIPTS:
        last = (ANALYSIS / f"{script}.py").read_text(encoding="utf-8").splitlines()[-1].strip()
        assert re.fullmatch(r"sys\.exit\(main\(draw, __doc__.*\)\)", last), script


def test_of_some_runs_alone(study: MadeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_script("gap_wall")
    arguments = [str(study.folder), "--out", str(tmp_path), "--filter", "cell = 'lstm' and gap > 10"]
    assert main(module.draw, module.__doc__, arguments) == 0
    with (tmp_path / "gap_wall.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = {(run.task, run.gap) for run in study.runs if run.label == "lstm" and run.gap > 10}
    assert {(row["panel"], int(row["gap"])) for row in rows} == expected
    assert {row["label"] for row in rows} == {"lstm"}
    capsys.readouterr()
    for condition, said in (("cel = 'x'", "cannot use the condition"), ("gap < 0", "no run of ")):
        assert main(module.draw, module.__doc__, [str(study.folder), "--filter", condition]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"{study.folder}: {said}")
        assert error.count("\n") == 1


@pytest.mark.slow
def test_nothing_to_draw_is_one_line_without_traceback(tmp_path: Path) -> None:
    done = run("gradient_flow", tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("script", ["gradient_flow", "learning_curves"])
def test_a_study_that_has_just_begun(script: str, begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_script(script)
    assert main(module.draw, module.__doc__, [str(begun)]) == 1
    output = capsys.readouterr()
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith(f"{begun}: no ")
    assert not (begun / "figures").exists()


def test_all_that_can_be_drawn_is_drawn(begun: Path, tmp_path: Path) -> None:
    """The wall counts the one run that has begun; the others have nothing yet and say so."""
    drawn = draw_all(open_study(begun), tmp_path)
    assert drawn.figures == ["gap_wall"]
    assert sorted(drawn.missing) == ["cost", "gradient_flow", "learning_curves", "survival"]


def test_figures_go_beside_the_records_by_default(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_script("gap_wall")
    (begun / "broken").mkdir(exist_ok=True)
    assert main(module.draw, module.__doc__, [str(begun)]) == 0
    output = capsys.readouterr()
    assert [Path(line).parent for line in output.out.splitlines()] == [begun / "figures"] * 4
    assert output.err.startswith("left out: ")
    assert "broken" in output.err
    for path in output.out.splitlines():
        Path(path).unlink()
    (begun / "figures").rmdir()
    (begun / "broken").rmdir()


@pytest.mark.slow
def test_every_script_runs_where_python_does_not_look_beside_it(tmp_path: Path) -> None:
    for name in FIGURES:
        command = [sys.executable, str(ANALYSIS / f"{name}.py"), "nowhere"]
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONSAFEPATH": "1"}, capture_output=True, text=True, timeout=100
        )
        assert "there is no study at nowhere" in done.stderr, done.stderr
