"""A wheel carries conf/, experiments/ and analysis/ and works far from the checkout."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest
from commands import LRD, ROOT, TINY, once, run, run_folders

# As an installed lrd, without the checkout that the tests' environment has on its path.
INSTALLED = f"""
import sys
sys.path[:] = [sys.argv.pop(1)] + [path for path in sys.path if path not in ("", {str(ROOT)!r})]
from lrd import paths
from lrd.cli import main
assert {str(ROOT)!r} not in (paths.__file__, *map(str, (paths.CONF, paths.ANALYSIS))), paths.__file__
assert str(paths.CONF).startswith(sys.path[0]), paths.CONF
sys.exit(main())
"""


def build(folder: Path) -> None:
    python = [sys.executable, "-m"]
    run([*python, "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)], folder)
    (wheel,) = folder.glob("lrd-*.whl")
    run(
        [*python, "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)],
        folder,
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "wheel", build)


def test_a_wheel_holds_the_project_and_nothing_of_the_workshop(built: Path) -> None:
    (wheel,) = built.glob("lrd-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in {
        "conf": "lrd/_conf",
        "experiments": "lrd/_conf/experiment",
        "analysis": "lrd/_analysis",
    }.items():
        suffix = "*.py" if folder == "analysis" else "*.yaml"
        files = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(suffix)}
        assert files
        assert {f"{inside}/{name}" for name in files} <= names
    assert "hydra_plugins/lrd_plugin.py" in names
    assert {f"lrd/report/{path.name}" for path in (ROOT / "lrd" / "report").iterdir() if path.is_file()} <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lrd", "hydra_plugins"}
    assert not [name for name in names if "__pycache__" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_an_installed_wheel_trains_a_study_and_reports_on_it_elsewhere(built: Path, tmp_path: Path) -> None:
    lrd = [sys.executable, "-c", INSTALLED, str(built / "site")]
    few = ["seed=0", "task=copy", "cell=rnn", "task.gap=5", "hydra.launcher.workers=1", "hydra.sweeper.union=null"]
    done = run([*lrd, "train", "experiment=demo", *few, "tracker=none", *TINY], tmp_path)
    assert done.stdout.startswith("1 runs: 0 finished before")
    assert len(run_folders(tmp_path / "runs" / "demo")) == 1
    run([*lrd, "report", "runs/demo", "--no-pdf"], tmp_path)
    report = tmp_path / "runs" / "demo" / "report"
    assert "How to read it" in (report / "report.html").read_text(encoding="utf-8")
    assert (report / "figures" / "gradient_flow.pdf").stat().st_size > 0
    assert all(path.stat().st_size > 0 for path in (report / "figures").iterdir())
    script = built / "site" / "lrd" / "_analysis" / "gap_wall.py"  # as a program, with the installed lrd before others
    run([sys.executable, str(script), "runs/demo", "--out", "drawn"], tmp_path, PYTHONPATH=str(built / "site"))
    known = json.loads((tmp_path / "drawn" / "gap_wall.json").read_text(encoding="utf-8"))
    assert known["command"] == "python analysis/gap_wall.py demo"


def test_the_installed_command_is_the_checkouts(tmp_path: Path) -> None:
    assert Path(LRD).is_file()
    assert "lrd " in run([LRD, "--version"], tmp_path).stdout
