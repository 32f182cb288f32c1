"""Every command, program and query of the README and of the documentation runs, page by page, in miniature."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import BIN, MINIATURE, ROOT, environment, run, slurm_answers
from documents import DOCS, PAGES, Block, blocks, name

from lrd.records import open_study

RUNNABLE = ("sh", "python")
WITH_COMMANDS = [page for page in PAGES if any(block.language in RUNNABLE for block in blocks(page))]
#: Of the demo two gaps of one task: whole, though in miniature, ``test_studies`` trains and draws it.
DEMO = ["hydra.sweeper.union=null", "task=adding", "cell=rnn,lstm", "task.gap=10,50", *MINIATURE]
MINIATURE_RUN = [option for option in MINIATURE if not option.startswith("seed")]
SLURM = ["hydra.launcher.array=2", "hydra.launcher.poll_seconds=0.2", "hydra.launcher.memory=0.5"]
FEW = [f"probe.lyapunov.{option}" for option in ("samples=2", "steps=5", "transient=0")]
FEW += [f"probe.retention.{option}" for option in ("samples=20", "test_samples=20")]
#: Lines that only say where the next ones run.
PLACES = ("git clone ", "cd ", "export PATH=")
#: What of the checkout a reader has around them.
CHECKOUT = ("Makefile", "analysis", "conf", "constraints.txt", "docs", "experiments", "pyproject.toml", "tests")
#: Queries that need runs which learned something, as none does in miniature.
OF_SOLVED_RUNS = ("solved = 1", "share >= 0.5")


def in_miniature(line: str, folder: Path) -> list[list[str]]:
    """The commands to run for a line of a page, small enough for a test."""
    words = shlex.split(line)
    if words[0] == "eval":
        return [["bash", "-c", line]]
    if words[:2] == ["lrd", "train"] and not {"--help", "--cfg"} & set(words):
        options = DEMO if "experiment=demo" in words else MINIATURE if "--config-dir" in words else MINIATURE_RUN
        return [[*words, *options, *(SLURM if "hydra/launcher=slurm" in words else [])]]
    if words[0] == "make" and words != ["make", "demo"]:
        return [[*words, "--dry-run"]]  # `make test` runs this very test
    if words == ["make", "demo"]:
        words += [f"RUNS={folder / 'runs'}", f"ARGS={shlex.join(DEMO)}", "--directory", str(ROOT)]
        if subprocess.run(["make", "--question", ".venv/.installed"], cwd=ROOT, capture_output=True).returncode == 0:
            return [words]
        # Some other environment runs the tests, and it is not for them to build .venv: what make would run after that.
        recipe = run([*words, "--dry-run"], folder).stdout.splitlines()
        commands = [shlex.split(command) for command in recipe if command.startswith(".venv/bin/lrd ")]
        return [[str(BIN / "lrd"), *command[1:]] for command in commands]
    if words[:3] == ["python", "-m", "pytest"]:
        return [[*words, "--collect-only"]]
    if words[:2] == ["lrd", "report"]:
        return [[*words, "--no-pdf", "--filter", "gap <= 10"]]
    if words[:2] == ["lrd", "figures"] and "--filter" not in words:
        return [[*words, "--filter", "gap <= 10"]]
    if words[:2] == ["lrd", "probe"]:
        return [[*words, *(option for option in FEW if option.split(".")[1] in line)]]
    return [words]


def missing_studies(page: Path) -> set[str]:
    """Studies below ``runs/`` that a page takes for trained: no line of it trains them before it uses them."""
    trained: set[str] = set()
    missing: set[str] = set()
    for block in blocks(page):
        if block.language in RUNNABLE and block.runs:
            for line in block.text.splitlines():
                missing |= set(re.findall(r"\bruns/(\w+)", line)) - trained
                trained |= set(re.findall(r"\b(?:study|experiment)=(\w+)", line)) if "lrd train" in line else set()
                trained |= {"demo"} if line.startswith("make demo") else set()
    return missing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place like the checkout, without runs."""
    for part in CHECKOUT:
        (tmp_path / part).symlink_to(ROOT / part)
    return tmp_path


def run_block(block: Block, folder: Path) -> None:
    """Run a block, or write the file that it is."""
    if block.title:
        file = folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
    elif block.language == "python" and not block.text.startswith("--8<--"):  # an example, which a command runs
        done = subprocess.run(
            [sys.executable, "-c", block.text], cwd=folder, env=environment(folder), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    elif block.language == "sh" and (block.runs or (not block.comment.startswith("<!-- not run") and slurm_answers())):
        for line in block.lines:
            if not line.startswith(PLACES):
                for command in in_miniature(line, folder):
                    run(command, folder, status=2 if command[:2] == ["lrd", "watch"] else 0)  # it wants a terminal


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_every_command_and_program_of_a_page_runs(page: Path, folder: Path, miniature: Callable[[str], Path]) -> None:
    for study in sorted(missing_studies(page)):
        shutil.copytree(miniature("demo") / "runs" / "demo", folder / "runs" / study)
    for block in blocks(page):
        run_block(block, folder)
    figures = {path.name for path in folder.glob("runs/*/figures/*")}
    if any(line.startswith("lrd figures") and "--out" not in line for block in blocks(page) for line in block.lines):
        assert {"gradient_flow.png", "gap_wall.pdf", "learning_curves.csv"} <= figures


def test_what_a_page_takes_for_trained_is_known() -> None:
    assert missing_studies(ROOT / "README.md") == set()
    assert missing_studies(DOCS / "guide" / "wandb.md") == {"demo"}


@pytest.mark.parametrize("number", range(10))
def test_a_query_of_the_documentation_answers(number: int, miniature: Callable[[str], Path]) -> None:
    queries = [block.text for block in blocks(DOCS / "guide" / "queries.md") if block.language == "sql"]
    answer = open_study(miniature("demo") / "runs" / "demo").sql(queries[number]).fetchall()
    assert answer or any(condition in queries[number] for condition in OF_SOLVED_RUNS)
