"""A cell and a task from a researcher's file, without touching lrd: trained, measured, drawn."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from commands import LRD, ROOT, TINY, process_as_before, run

from lrd.cli import main
from lrd.figures import FIGURES
from lrd.records import read_json, write_json

#: The example cell and task of the docs, by the names of their files.
PROGRAMS = {
    name: (ROOT / "docs" / "examples" / name).read_text(encoding="utf-8") for name in ("my_cell.py", "my_task.py")
}
MINE = ["cell=custom", "cell.path=my_cell.py:MGU", "task=custom", "task.path=my_task.py:First"]
NORMS = "training.gradient_norms=true"
PROBES = ["gradient_flow", "parameter_gradient", "jacobian", "lyapunov", "gates", "retention", "memory_capacity"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the researcher's with the cell and task of the docs, trained at three gains and two gaps."""
    folder = tmp_path_factory.mktemp("mine")
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    sweep = ["cell.gain=0.5,1,2", "task.gap=6,9", "seed=0,1"]
    run(
        [
            LRD,
            "train",
            "-m",
            *MINE,
            *sweep,
            "cell.hidden_size=4",
            "tracker=none",
            "training.max_updates=5",
            *TINY[1:],
            NORMS,
        ],
        folder,
    )
    return folder


def test_the_cell_has_fifteen_lines() -> None:
    body = PROGRAMS["my_cell.py"].partition('"""\n')[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15


@pytest.mark.usefixtures("numbers_alone")  # test_readme has some of its pictures
def test_it_gets_every_figure(folder: Path) -> None:
    others = {"closing_distance", "neurons_on_text", "cell_pairs", "generalisation"}  # of texts, of two cells, of gaps
    scripts = set(FIGURES) - others
    run([LRD, "probe", "runs/scratch", f"probe=[{','.join(PROBES[1:])}]"], folder)
    with process_as_before():
        assert main(["figures", str(folder / "runs" / "scratch")]) == 0
    drawn = {path.stem for path in (folder / "runs" / "scratch" / "figures").glob("*.csv")}
    assert scripts <= drawn


def test_an_edited_class_is_another_run_and_the_old_one_keeps_its_own(folder: Path) -> None:
    text = (folder / "my_cell.py").read_text(encoding="utf-8")
    try:
        (folder / "my_cell.py").write_text("this is no cell\n")
        first = run([LRD, "probe", "runs/scratch", "probe=gates", "probe.gates.samples=2", "--at", "end"], folder)
        assert "12 runs" in first.stdout
        assert "my_cell" not in first.stderr
        wrong = run([LRD, "train", *MINE, "tracker=none"], folder, status=2)
        assert wrong.stderr == "lrd: cell.path: my_cell.py, line 1: invalid syntax\n"
    finally:
        (folder / "my_cell.py").write_text(text)


@pytest.mark.slow
def test_code_of_somebody_else_is_run_with_trust_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "sent"
    shutil.copytree(folder / "runs" / "scratch", study)
    for file in study.glob("*/run.json"):
        write_json(file, {key: value for key, value in read_json(file).items() if key != "seal"})
    one = next(study.glob("*-T6-s0-*/run.json"))
    own = read_json(one)
    text = f"open({str(tmp_path / 'was_run')!r}, 'w')\n{own['sources']['cell']}"
    write_json(one, own | {"sources": own["sources"] | {"cell": text}})
    monkeypatch.setenv("HOME", str(folder))
    command = ["probe", str(study), "probe=gates", "probe.gates.samples=3", "--at", "end", "--where", "gap = 6"]
    with process_as_before():
        assert main(command) == 2
        said = capsys.readouterr()
        assert said.err.startswith(f"lrd: {study}/")
        assert said.err.endswith("read its run.json, and if you trust it, add --trust\n")
        assert said.err.count("\n") == 1
        assert said.out == ""
        assert not (tmp_path / "was_run").exists()
        write_json(one, own)
        assert main([*command, "--trust"]) == 0


def test_check_says_which_line_is_broken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(of: str, status: int = 0) -> tuple[str, str]:
        with process_as_before():
            assert main(["check", of]) == status
        return capsys.readouterr()

    monkeypatch.chdir(folder)
    kept, _ = check("my_cell.py:MGU")
    assert kept.count(" kept ") == 10
    assert "It trains: lrd train cell=custom cell.path=my_cell.py:MGU" in kept
    assert check("my_task.py:First")[0].count(" kept ") == 8
    spoiled = PROGRAMS["my_cell.py"].replace("(h,), f = state", "(h,), f = state[:0]")
    (folder / "bad.py").write_text(spoiled)
    said, error = check("bad.py:MGU", status=2)
    assert said.count(" kept ") == 3
    assert re.match(r"lrd: bad.py:MGU breaks line 4: step raised .*\(line \d+\)\n$", error)
    assert check("bad.py:Nothing", status=2)[1] == "lrd: bad.py has no class Nothing\n"
