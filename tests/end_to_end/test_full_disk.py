"""A disk that is truly full: a small file system of memory, in a name space of the test's own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import LRD, assert_equal_records, content, environment, once, run, run_folders

from lrd.records import RecordError, open_study

SWEEP = ["task=adding", "task.gap=10", "cell=rnn,lstm", "seed=0,1", "cell.hidden_size=4", "training.max_updates=25"]
SWEEP += [
    "training.eval_every=10",
    "training.eval_samples=8",
    "training.test_samples=8",
    "probe.gradient_flow.samples=4",
]
COMMAND = [LRD, "train", "-m", *SWEEP, "tracker=none", "hydra.launcher.workers=2"]
SIZE = 2048  # kB; the records of the sweep take some 300
SCRIPT = f"""
set -u
mount -t tmpfs -o size={SIZE}k tmpfs runs || exit 77
head -c $(({SIZE} * 1024 - $1 * 1024)) /dev/zero > runs/ballast
{shlex.join(COMMAND)} > first.out 2> first.err; echo $? > first.status
cp -r runs/scratch before
rm runs/ballast
{shlex.join(COMMAND)} > second.out 2> second.err; echo $? > second.status
cp -r runs/scratch after
"""


@pytest.fixture(scope="session")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of a disk with room."""
    return once(tmp_path_factory, "roomy", lambda folder: run(COMMAND, folder) and None) / "runs" / "scratch"


def mount_in(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place where a file system may be mounted on ``runs``."""
    (tmp_path / "runs").mkdir()
    if not shutil.which("unshare") or mount_in(tmp_path, "mount -t tmpfs -o size=64k tmpfs runs").returncode:
        pytest.skip("this machine lets nobody mount a file system of memory (unshare --map-root-user --mount)")
    return tmp_path


@pytest.mark.parametrize("room", [0, 40, 110, 170])
def test_a_sweep_that_fills_the_disk_goes_on_once_there_is_room(folder: Path, roomy: Path, room: int) -> None:
    """``room`` kB are free at first: for no run lock, for some files of a pack, for some runs."""
    done = mount_in(folder, SCRIPT, str(room))
    assert done.returncode == 0, done.stderr
    said = (folder / "first.err").read_text(encoding="utf-8")
    assert (folder / "first.status").read_text(encoding="utf-8") == "1\n", said
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("lrd: ")]
    assert "failed: RecordError: cannot write " in line
    assert "the disk is full; free some space or choose another folder, then run the same command again" in line
    assert not list((folder / "before").rglob("*.tmp"))
    try:
        study = open_study(folder / "before")
    except RecordError:  # there was no room for any
        assert room == 0
    else:
        for (run_id,) in study.sql("select run_id from runs where outcome is not null").fetchall():
            assert content(folder / "before" / run_id) == content(roomy / run_id)
        assert study.sql("select count(*) from runs where outcome is not null").fetchall()[0][0] < 4
    assert (folder / "second.status").read_text(encoding="utf-8") == "0\n", (folder / "second.err").read_text(
        encoding="utf-8"
    )
    assert len(run_folders(folder / "after")) == 4
    assert_equal_records(folder / "after", roomy)


FIGURES = """
mount -t tmpfs -o size=64k tmpfs figures || exit 77
$1 figures $2 --out figures > out 2> err; echo $? > status
"""


@pytest.mark.slow
def test_figures_that_fill_the_disk_are_one_line(folder: Path, roomy: Path) -> None:
    (folder / "figures").mkdir()
    assert mount_in(folder, FIGURES, LRD, str(roomy)).returncode == 0
    assert (folder / "status").read_text(encoding="utf-8") == "2\n"
    said = (folder / "err").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "cannot write figures/" in said
    assert ": the disk is full; free some space or choose another folder" in said
