"""Every command and program of README.md runs, and every file it names is there."""

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

from lrd.commands import COMMANDS

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Of the demo two gaps of one task: whole, though in miniature, ``test_studies`` trains and draws it.
DEMO = ["hydra.sweeper.union=null", "task=adding", "cell=rnn,lstm", "task.gap=10,50", *MINIATURE]
MINIATURE_RUN = [option for option in MINIATURE if not option.startswith("seed")]
SLURM = ["hydra.launcher.array=2", "hydra.launcher.poll_seconds=0.2", "hydra.launcher.memory=0.5"]
FEW = [f"probe.lyapunov.{option}" for option in ("samples=2", "steps=5", "transient=0")]
FEW += [f"probe.retention.{option}" for option in ("samples=20", "test_samples=20")]
OWN = re.compile(r"\bmy_|/mine\b")  # lines about the researcher's own cell and task
#: Lines that only say where the next ones run.
PLACES = ("git clone ", "cd ", "export PATH=")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def lines() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip() and not line.startswith("#")]


def in_miniature(line: str, folder: Path) -> list[list[str]]:
    """The commands to run for a line of README.md, small enough for a test."""
    words = shlex.split(line)
    if words[:2] == ["lrd", "train"] and not {"--help", "--cfg"} & set(words):
        study = any(word.startswith("experiment=") for word in words)
        return [[*words, *(DEMO if study else MINIATURE_RUN), *(SLURM if "hydra/launcher=slurm" in words else [])]]
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
    if words[:2] == ["lrd", "report"]:
        return [[*words, "--no-pdf", "--filter", "gap <= 10"]]
    if words[:2] == ["lrd", "probe"]:
        return [[*words, *(option for option in FEW if option.split(".")[1] in line)]]
    return [words]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place like the checkout, without runs."""
    for name in ("Makefile", "analysis", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    for program in blocks("python"):
        if named := re.match(r"# (\w+\.py)\n", program):
            (tmp_path / named.group(1)).write_text(program)
    return tmp_path


def test_every_command_runs(folder: Path) -> None:
    run_lines([line for line in lines() if not OWN.search(line)], folder)
    drawn = {path.name for path in (folder / "runs" / "demo" / "figures").iterdir()}
    assert {"gradient_flow.png", "gap_wall.pdf", "learning_curves.csv"} <= drawn


def test_every_command_of_ones_own_cell_and_task_runs(folder: Path) -> None:
    own = [line for line in lines() if OWN.search(line)]
    assert len(own) == 5
    run_lines(own, folder)
    drawn = {path.name for path in (folder / "runs" / "mine" / "figures").iterdir()}
    assert {"gradient_flow.png", "gates_along_gap.pdf", "retention_along_gap.csv", "phase_diagram.pdf"} <= drawn


def run_lines(some: list[str], folder: Path) -> None:
    for line in some:
        if not line.startswith(PLACES) and ("hydra/launcher=slurm" not in line or slurm_answers()):
            for command in in_miniature(line, folder):
                run(command, folder, status=2 if command[:2] == ["lrd", "watch"] else 0)  # it wants a terminal


def test_the_two_commands_and_every_subcommand_are_among_them() -> None:
    assert lines()[:2] == ["make demo", "make test"]
    used = {" ".join(line.split()[:2]) for line in lines()}
    assert {f"lrd {command}" for command in COMMANDS if command != "sync"} <= used  # which wants a server
    assert any("experiment=" in line for line in lines())
    assert any(" -m " in line for line in lines())


def test_every_program_runs(folder: Path, miniature: Callable[[str], Path]) -> None:
    shutil.copytree(miniature("demo") / "runs", folder / "runs")
    assert blocks("python")
    for program in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=folder, env=environment(folder), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"


def test_every_file_and_target_it_names_is_there() -> None:
    quoted = re.findall(r"`([^`\n]+)`", README)
    linked = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if not target.startswith("http")]
    paths = [
        q for q in quoted if re.fullmatch(r"(?!runs/|my_)[\w.-]+(/[\w.-]+)*(/|\.(py|yaml|toml|cff|md|txt|png))", q)
    ]
    assert len(paths) > 5
    missing = [path for path in linked + paths if not (ROOT / path).exists()]
    assert not missing
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {words.split()[1] for words in quoted + lines() if words.startswith("make ")} <= targets


def test_every_option_it_names_exists() -> None:
    from lrd.known_options import GROUPS, known_keys

    named = set(re.findall(rf"`((?:{'|'.join(GROUPS)})\.\w+)[`=]", README))
    assert len(named) > 10
    assert named <= known_keys()
