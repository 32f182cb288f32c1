"""Every variable of wandb's that a user may have set: taken over, or taken away and said so."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import LRD, process_as_before, run
from offline_runs import TINY, inspect, of_type

from lrd import cli
from lrd.records import RecordError
from lrd.records.sync import place_of
from lrd.records.wandb_environment import HONOURED, REPORTED, left_out, take_away, tracker_options

PLAIN = {"name": "wandb", "mode": None, "project": None, "entity": None}
#: Settings that say which run a mirror is, and where it lies: never a variable's affair.
IDENTITY = {"run_id", "run_name", "run_group", "resume", "resume_from", "fork_from", "sweep_id", "sweep_param_path"}
IDENTITY |= {"root_dir", "reinit", "launch", "launch_config_path", "config_paths", "mode", "x_primary", "x_label"}


def settings_from(name: str) -> set[str]:
    """The settings that a variable changes in the wandb that is installed."""
    import wandb

    settings = wandb.Settings()
    changed: set[str] = set()

    class Noted(type(settings)):  # type: ignore[misc]
        def __setattr__(self, key: str, value: Any) -> None:
            changed.add(key)

    noted = Noted.model_construct(**vars(settings))
    noted.update_from_env_vars({name: "x"})
    return changed


@pytest.mark.slow
def test_no_variable_that_the_installed_wandb_knows_reaches_what_a_mirror_is() -> None:
    import wandb

    fields = wandb.Settings.model_fields
    variables = {f"WANDB_{field.upper()}" for field in fields} | {
        f"WANDB__{field[2:].upper()}" for field in fields if field.startswith("x_")
    }
    variables |= {value for key, value in vars(wandb.env).items() if key.isupper() and str(value).startswith("WANDB_")}
    reached = {name: settings_from(name) for name in variables}
    assert reached["WANDB_SWEEP_ID"] == {"sweep_id"}  # the question is put rightly
    assert set().union(*reached.values()) >= IDENTITY
    assert set().union(*(reached[name] for name in variables & HONOURED)).isdisjoint(IDENTITY)
    assert not HONOURED & REPORTED


def test_all_others_are_taken_away_and_those_that_matter_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*HONOURED, *REPORTED, "WANDB_SILENT", "WANDB_OF_A_LATER_RELEASE", "WANDBERER"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("WANDB_SERVICE", "another program's")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert take_away() == sorted(REPORTED)
    assert {name for name in os.environ if name.startswith("WANDB")} == HONOURED | {"WANDBERER"}
    monkeypatch.setitem(sys.modules, "wandb", os)
    monkeypatch.setenv("WANDB_SERVICE", "our own")
    assert left_out() == ""
    assert os.environ["WANDB_SERVICE"] == "our own"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        ({"WANDB_MODE": "online"}, {"mode": "online"}),
        ({"WANDB_MODE": "run"}, {"mode": "online"}),
        ({"WANDB_MODE": "dryrun"}, {"mode": "offline"}),
        ({"WANDB_MODE": "disabled"}, {"mode": "disabled"}),
        ({"WANDB_MODE": "", "WANDB_PROJECT": "", "WANDB_ENTITY": ""}, {}),
        ({"WANDB_DISABLED": "true", "WANDB_MODE": "online"}, {"mode": "disabled"}),
        ({"WANDB_DISABLED": "false", "WANDB_MODE": "online"}, {"mode": "online"}),
        ({"WANDB_PROJECT": "mine", "WANDB_ENTITY": "team"}, {"project": "mine", "entity": "team"}),
    ],
)
def test_options_that_are_not_given_come_from_variables(
    variables: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracker_options(PLAIN) == PLAIN | expected
    given = {"name": "wandb", "mode": "offline", "project": "given", "entity": "given"}
    assert tracker_options(given) == given
    assert tracker_options({"name": "none"}) == {"name": "none"}
    assert place_of({"project": "given", "entity": "given"}, None, None) == ("given", "given")
    assert place_of({}, None, None) == (expected.get("project", "lrd"), expected.get("entity"))


def test_a_mode_that_no_mirror_has_is_one_line_unless_the_option_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "shared")
    with pytest.raises(RecordError, match="WANDB_MODE: must be one of online, offline, disabled, got 'shared'"):
        tracker_options(PLAIN)
    assert tracker_options(PLAIN | {"mode": "online"})["mode"] == "online"
    with process_as_before():
        assert cli.main(["train", "task.gap=3"]) == 2
    assert capsys.readouterr().err.startswith("lrd: WANDB_MODE: must be one of")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_sweep_is_mirrored_under_its_own_ids_whatever_is_set(tmp_path: Path) -> None:
    variables = dict.fromkeys(REPORTED, "x") | {"WANDB_TAGS": "a,b", "WANDB_PROJECT": "mine", "WANDB_MODE": "dryrun"}
    options = [option for option in TINY if not option.startswith("probe")] + ["probe=none", "hydra.launcher.workers=2"]
    done = run([LRD, "train", "-m", *options, "cell=rnn,lstm", "pack_size=1"], tmp_path, **variables)
    (reported,) = [line for line in done.stderr.splitlines() if "left out of the wandb mirrors" in line]
    assert all(name in reported for name in REPORTED)
    study = tmp_path / "runs" / "scratch"
    ids = {path.parent.name for path in study.glob("*/run.json")}
    mirrors = [of_type(inspect(path), "run")[0] for path in (study / "wandb").glob("offline-run-*")]
    assert {mirror["run_id"] for mirror in mirrors} == {mirror["display_name"] for mirror in mirrors} == ids
    assert {(mirror["run_group"], mirror["project"]) for mirror in mirrors} == {("scratch", "mine")}
    assert {tuple(mirror["tags"]) for mirror in mirrors} == {("a", "b")}
    off = run([LRD, "train", *options, "study=off"], tmp_path, WANDB_DISABLED="true", WANDB_RUN_ID="x")
    assert "WANDB" not in off.stderr
    assert not (tmp_path / "runs" / "off" / "wandb").exists()
