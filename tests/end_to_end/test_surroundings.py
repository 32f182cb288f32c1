"""What a sweep trains does not depend on the current folder, the length of TMPDIR or the script that starts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from commands import LRD, TINY, assert_equal_records, once, run, run_folders

import lrd.records
import lrd.sweeps.workers
import lrd.training

pytestmark = pytest.mark.slow

SWEEP = ["train", "-m", "cell=rnn,lstm", "task.gap=3", "cell.hidden_size=4", *TINY, "hydra.launcher.workers=2"]
PROBE = ["probe", "runs/scratch", "probe=jacobian"]
SCRIPT = f"""
import lrd.cli
print("read", flush=True)
for command in ({[*SWEEP, "tracker=none"]!r}, {PROBE!r}):
    if status := lrd.cli.main(command):
        raise SystemExit(status)
"""


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as it is trained in an empty folder."""
    folder = once(tmp_path_factory, "usual", lambda folder: run([LRD, *SWEEP, "tracker=none"], folder) and None)
    return folder / "runs" / "scratch"


def shadowed(folder: Path) -> Path:
    """A folder that has a module, which cannot be imported, of every name that this process has imported."""
    folder.mkdir()
    for name in {name.partition(".")[0] for name in sys.modules} | {"lrd", "sitecustomize"}:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} of the current folder')")
    return folder


def test_what_lies_in_the_current_folder_is_not_imported(tmp_path: Path, usual: Path) -> None:
    folder = shadowed(tmp_path / "here")
    run([LRD, *SWEEP, "tracker=none"], folder)
    study = folder / "runs" / "scratch"
    assert_equal_records(study, usual)
    for path in run_folders(study).values():
        assert json.loads((path / "environment.json").read_text(encoding="utf-8"))["package"] == str(
            Path(lrd.__file__).parent
        )


def test_workers_do_not_run_the_script_that_starts_them(tmp_path: Path, usual: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    folder = shadowed(tmp_path / "here")  # the script's own folder leads the path, and not the current one
    done = run([sys.executable, str(tmp_path / "mine.py")], folder)
    assert done.stdout.splitlines().count("read") == 1
    study = folder / "runs" / "scratch"
    assert probed(study)
    assert_equal_records(study, usual)


def test_a_long_temporary_folder_is_no_hindrance(tmp_path: Path, usual: Path) -> None:
    long = tmp_path / ("t" * (200 - len(str(tmp_path))))
    long.mkdir()
    run([LRD, *SWEEP, "tracker=wandb"], tmp_path, TMPDIR=str(long))
    study = tmp_path / "runs" / "scratch"
    assert_equal_records(study, usual)
    assert len(list((study / "wandb").glob("offline-run-*"))) == 2
    run([LRD, *PROBE], tmp_path, TMPDIR=str(long))
    assert probed(study)


def probed(study: Path) -> bool:
    """Whether there are the tables of ``PROBE`` for both runs, which this takes away."""
    tables = list(study.glob("*/jacobian.parquet"))
    for table in tables:
        table.unlink()
    return len(tables) == 2
