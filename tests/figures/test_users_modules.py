"""Modules of the user's, of whatever name, in whatever folder: no figure imports them."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

import pytest
from commands import ROOT, run
from synthetic import MadeStudy

from lrd.figures import FIGURES
from lrd.paths import ANALYSIS

#: Names that one would give to a file of one's own, and those of the package's modules.
NAMES = {"style", "common", "flow", "looks", "settings", "labels", "pages", "moments", "saving"}
NAMES |= {path.stem for path in (ROOT / "lrd" / "figures").glob("[a-z]*.py")}


def modules(folder: Path) -> Path:
    """Files that no one can import."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.py").write_text("raise SystemExit('a user\\'s own module was imported')\n")
    return folder


@pytest.mark.slow
def test_modules_beside_a_script_and_in_the_current_folder_do_no_harm(study: MadeStudy, tmp_path: Path) -> None:
    here = modules(tmp_path / "here")
    copied = modules(tmp_path / "analysis")
    shutil.copy(ANALYSIS / "gap_wall.py", copied)
    done = run([sys.executable, str(copied / "gap_wall.py"), str(study.folder), "--out", "out"], here)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4
    code = "import sys; from lrd.cli import main; sys.exit(main(sys.argv[1:]))"  # with the current folder on the path
    few = ["--filter", "gap = 10 and seed = 0"]
    done = run([sys.executable, "-c", code, "figures", str(study.folder), "--out", "all", *few], here)
    assert "failed" not in done.stderr
    assert (here / "all" / "gap_wall.png").exists()


def test_scripts_import_lrd_and_no_other_module_of_the_project() -> None:
    allowed = {"lrd", "numpy", "matplotlib", "scipy", *sys.stdlib_module_names}
    for name in FIGURES:
        text = (ANALYSIS / f"{name}.py").read_text(encoding="utf-8")
        assert "sys.path" not in text
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, name
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, name


def test_nothing_but_commands_of_figures_imports_them() -> None:
    """So that training needs no matplotlib."""
    may = ("lrd/figures/", "lrd/report/", "lrd/commands/figures.py", "lrd/commands/report.py")
    for path in sorted((ROOT / "lrd").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(may):
            assert "lrd.figures" not in path.read_text(encoding="utf-8"), place
