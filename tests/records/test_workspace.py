"""A study's wandb workspace: against the library's own model, offline, and saved on a server on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import environment, run
from made import make_record
from wandb_bench import KEY, Bench, serving

from lrd.records import RecordError, open_study
from lrd.records.mirror_keys import mirror_keys
from lrd.records.workspace import as_json, make_workspace, place_of_study

#: The library is written for the pydantic of before.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")

#: Runs the command as a user would, but dies of any socket that is connected or bound and of any process that is begun.
ALONE = """
import sys
from lrd.cli import main
def guard(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(guard)
sys.exit(main(sys.argv[1:]))
"""


def keys_of(view: dict[str, Any]) -> dict[str, set[str]]:
    """What the panels of a view name, by the type of the panel."""
    found: dict[str, set[str]] = {}
    for section in view["spec"]["section"]["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            config = panel["config"]
            keys = [*config.get("metrics", []), *config.get("mediaKeys", []), config.get("yAxis")]
            found.setdefault(panel["viewType"], set()).update(key for key in keys if key)
    return found


@pytest.fixture(scope="module")
def printed(trained: Path) -> subprocess.CompletedProcess[str]:
    """What ``lrd dashboard --dry-run`` says of the trained study."""
    command = [sys.executable, "-c", ALONE, "dashboard", "runs/scratch", "--dry-run"]
    done = subprocess.run(command, cwd=trained, env=environment(trained), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done


def test_what_is_printed_is_a_workspace_of_the_library(printed: subprocess.CompletedProcess[str]) -> None:
    """Its model reads it back, and says the same of what it read."""
    from wandb_workspaces.workspaces import Workspace
    from wandb_workspaces.workspaces.internal import View

    read = Workspace._from_model(View.model_validate_json(printed.stdout))
    assert json.loads(as_json(read)) == json.loads(printed.stdout)
    assert [section.name for section in read.sections] == ["learning", "gradient flow", "gates and retention", "cost"]
    assert [(group.section, group.name) for group in read.runset_settings.groupby] == [
        ("config", name) for name in ("task.name", "cell.name", "task.gap")
    ]
    assert "scratch" in read.runset_settings.filters
    assert (read.project, read.entity, read.settings.x_axis) == ("lrd", "", "update")


def test_panels_name_what_the_runs_have_and_nothing_else(
    printed: subprocess.CompletedProcess[str], trained: Path
) -> None:
    found = mirror_keys(open_study(trained / "runs" / "scratch"))  # which is held against wandb's own files elsewhere
    keys = keys_of(json.loads(printed.stdout))
    assert keys.pop("Run History Line Plot") == set(found.history)
    assert keys.pop("Media Browser") == set(found.media)
    of_summary = keys.pop("Scatter Plot") | {f"summary:{key}" for key in keys.pop("Bar Chart")}
    assert of_summary <= {f"summary:{key}" for key in found.summary}
    assert {"summary:seconds_per_update", "summary:test_loss"} <= of_summary
    assert keys == {}


def test_the_outline_is_beside_it(printed: subprocess.CompletedProcess[str]) -> None:
    lines = printed.stderr.splitlines()
    assert lines[0] == "workspace 'lrd: scratch' in the entity of the key/lrd"
    assert "  loss: train_loss, eval_loss against update (log y)" in lines


def test_the_same_records_make_the_same_workspace(trained: Path, tmp_path: Path) -> None:
    study, place = open_study(trained / "runs" / "scratch"), ("p", "e")
    first, again = (as_json(make_workspace(study, place, tmp_path)) for _ in range(2))
    assert first == again
    assert json.loads(first)["entity"] == "e"


@pytest.fixture
def server() -> Iterator[Bench]:
    with serving() as bench:
        yield bench


@pytest.mark.slow
def test_it_is_saved_once_and_what_hinders_that_is_one_line(trained: Path, server: Bench) -> None:
    """One process for all of it: to begin one takes seconds."""
    code = (
        "import os; from lrd.cli import main\n"
        "def save(*more): print(main(['dashboard', 'runs/scratch', *more]))\n"
        "key = os.environ.pop('WANDB_API_KEY')\n"
        "save()\n"
        "os.environ['WANDB_API_KEY'] = key\n"
        "save('--project', 'gone')\n"
        "save()\n"
        "save()\n"
    )
    done = run([sys.executable, "-c", code], trained, **server.environment)
    (name, saved), *others = server.views.items()
    address = f"{server.url}/e/lrd?nw={name.removeprefix('nw-').removesuffix('-v')}"
    assert done.stdout.splitlines() == ["2", "2", address, "0", address, "0"]
    keyless, gone = done.stderr.splitlines()
    assert "no API key; `wandb login` or WANDB_API_KEY gives one" in keyless
    assert "there is no project e/gone for this key; `lrd sync` makes it" in gone
    assert all(line.endswith("--dry-run prints the dashboard without a server") for line in (keyless, gone))
    assert not others
    assert saved["id"] == f"id{name}"  # the second time the view that was there is changed
    assert (saved["entityName"], saved["projectName"], saved["displayName"]) == ("e", "lrd", "lrd: scratch")
    assert "train_loss" in keys_of({"spec": json.loads(saved["spec"])})["Run History Line Plot"]
    assert KEY not in done.stdout + done.stderr


def test_runs_of_several_projects_want_a_choice(tmp_path: Path) -> None:
    make_record(tmp_path, "a", tracker={"name": "wandb", "project": "p", "entity": "e"})
    study = open_study(tmp_path / "s")
    assert place_of_study(study, None, None) == ("p", "e")
    make_record(tmp_path, "b", tracker={"name": "none"})
    study = open_study(tmp_path / "s")
    with pytest.raises(RecordError, match="mirrored to e/p, \\(default\\)/lrd: choose by --entity and --project"):
        place_of_study(study, None, None)
    assert place_of_study(study, "q", "us") == ("q", "us")
