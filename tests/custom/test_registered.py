"""Cells, tasks and probes of installed packages, found by their entry points."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import LRD, TINY, run
from written import CELL, PROBE, TASK

from lrd.records import open_study


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds an installed package."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "their_cells.py").write_text(CELL + TASK)
    (folder / "their_probes.py").write_text(PROBE + PROBE.replace("Norms", "Taken").replace('"my_norms"', '"runs"'))
    info = folder / "theirs-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[lrd.cells]\nleaky = their_cells:Leaky\nrnn = their_cells:Leaky\nother = their_cells:Leaky\n"
        "gone = their_cells:Nothing\n[lrd.tasks]\nfirst = their_cells:First\n"
        "[lrd.probes]\nmy_norms = their_probes:Norms\nruns = their_probes:Taken\ngates = their_probes:Norms\n"
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


@pytest.mark.slow
def test_a_probe_is_chosen_by_name_and_measures_in_training_and_afterwards(packages: Path, tmp_path: Path) -> None:
    small = ["cell.hidden_size=4", "task.gap=4", "tracker=none", *TINY]
    chosen = ["probe=[gradient_flow,my_norms]", "probe.my_norms.scale=2", "probe.my_norms.samples=4"]
    done = run([LRD, "train", "-m", "seed=0,1", *chosen, *small], tmp_path, PYTHONPATH=str(packages))
    left_out = [line for line in done.stderr.splitlines() if "left out" in line]
    assert "lrd: probe runs of theirs 1.2 is left out: `name` must be none of lrd's tables, got 'runs'" in left_out
    assert "lrd: probe gates of theirs 1.2 is left out: lrd has a probe of that name" in left_out
    opened = open_study(tmp_path / "runs" / "scratch")
    assert opened.sql("select count(distinct run_id), count(distinct update) from my_norms").fetchall() == [(2, 3)]
    run([LRD, "train", "probe=none", "study=bare", *small], tmp_path, PYTHONPATH=str(packages))
    probed = run([LRD, "probe", "runs/bare", "probe=my_norms"], tmp_path, PYTHONPATH=str(packages))
    assert "0 measurements taken before, 2 to take" in probed.stdout
    assert open_study(tmp_path / "runs" / "bare").sql("from my_norms").columns[-4:] == ["t", "part", "norm", "large"]
    wrong = run([LRD, "train", "probe=my_nroms"], tmp_path, status=2, PYTHONPATH=str(packages)).stderr
    assert "did you mean 'my_norms'?" in wrong
