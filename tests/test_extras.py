"""What an extra brings: each package has a line that says how to install it where it is missing, before any work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lrd.extras import EXTRAS, missing

ROOT = Path(__file__).resolve().parents[1]
HIDES = """
import os, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["HIDDEN"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""
MAIN = "import sys; from lrd.cli import main; sys.exit(main())"
TINY = ["task.gap=4", "cell.hidden_size=3", "training.max_updates=4", "training.eval_every=2", "tracker=none"]


def without(packages: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python where these modules, with commas between them, are not installed."""
    (folder / "hides").mkdir()
    (folder / "hides" / "sitecustomize.py").write_text(HIDES, encoding="utf-8")
    variables = os.environ | {"PYTHONPATH": str(folder / "hides"), "HIDDEN": packages}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ("hidden", "arguments", "line"),
    [
        ("jinja2", "report none --no-pdf", "lrd report needs jinja2: pip install 'lrd[report]'"),
        ("jinja2,weasyprint", "report none", "lrd report needs jinja2 and weasyprint: pip install 'lrd[report]'"),
        ("submitit", "train hydra/launcher=slurm", "hydra/launcher=slurm needs submitit: pip install 'lrd[slurm]'"),
        ("wandb_workspaces", "dashboard none", "lrd dashboard needs wandb-workspaces: pip install 'lrd[dashboard]'"),
        ("sklearn", "train task=digits", "task.name: digits needs scikit-learn: pip install 'lrd[digits]'"),
        ("sklearn", "plan task=digits", "task.name: digits needs scikit-learn: pip install 'lrd[digits]'"),
    ],
)
def test_one_line_says_what_is_missing_before_any_work(hidden: str, arguments: str, line: str, tmp_path: Path) -> None:
    done = without(hidden, tmp_path, "-c", MAIN, *arguments.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"lrd: {line}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["hides"]


def test_a_report_without_a_pdf_needs_no_weasyprint(tmp_path: Path) -> None:
    done = without("weasyprint", tmp_path, "-c", MAIN, "report", "none", "--no-pdf")
    assert "weasyprint" not in done.stderr
    assert "none" in done.stderr


def test_all_else_works_without_any_of_them(tmp_path: Path) -> None:
    """Trains a run, says how it stands, and imports all that no extra is for."""
    everything = f"""
import importlib, pkgutil, lrd
from lrd.cli import main
assert main(["train", *{TINY!r}]) == 0
assert main(["status", "runs/scratch"]) == 0
for module in pkgutil.walk_packages(lrd.__path__, "lrd."):
    if not module.name.startswith(("lrd.report", "lrd.kernels.fused.", "lrd._")):
        importlib.import_module(module.name)
"""
    hidden = ",".join(module for packages in EXTRAS.values() for module, _ in packages)
    done = without(hidden, tmp_path, "-c", everything)
    assert done.returncode == 0, done.stderr


def test_extras_are_those_of_the_project_and_installed_with_the_environment() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        assert [re.match(r"[\w-]+", line)[0] for line in declared[extra]] == [name for _, name in packages]  # type: ignore[index]
        assert not missing("it", extra)
        assert not {name for _, name in packages} & {re.split(r"[>=]", line)[0] for line in project["dependencies"]}
    (installed,) = re.findall(r"--editable '\.\[(dev,[^\]]*)\]'", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(EXTRAS) <= set(installed.split(","))
