"""Cells and tasks of installed packages, found by their entry points."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import LRD, TINY, run
from written import CELL, TASK


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds an installed package."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "their_cells.py").write_text(CELL + TASK)
    info = folder / "theirs-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[lrd.cells]\nleaky = their_cells:Leaky\nrnn = their_cells:Leaky\nother = their_cells:Leaky\n"
        "gone = their_cells:Nothing\n[lrd.tasks]\nfirst = their_cells:First\n"
    )
    return folder


@pytest.mark.slow
def test_they_are_chosen_by_name_and_a_broken_one_is_named(packages: Path, tmp_path: Path) -> None:
    train = [LRD, "train", "-m", "cell=leaky", "cell.leak=0.25,0.5", "cell.hidden_size=4", "task=first", "task.gap=3"]
    done = run([*train, "tracker=none", *TINY], tmp_path, PYTHONPATH=str(packages))
    assert "2 unsolved" in done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("first")] == [
        ["first", "3", "leaky"]
    ]
    left_out = [line for line in done.stderr.splitlines() if "left out" in line]
    assert [line.split(" is left out: ")[1] for line in left_out[:3]] == [
        "lrd has a cell of that name",
        "its `name` must be 'other', as it is registered",
        "AttributeError: module 'their_cells' has no attribute 'Nothing'",
    ]
    assert left_out[0].startswith("lrd: cell rnn of theirs 1.2 is left out")
    probed = run([LRD, "probe", "runs/scratch", "probe=gates"], tmp_path, PYTHONPATH=str(packages)).stdout
    assert "4 to take" in probed
    wrong = run([*train, "cell=leakey"], tmp_path, status=2, PYTHONPATH=str(packages)).stderr
    assert "did you mean 'leaky'?" in wrong
