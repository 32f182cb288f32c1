"""Whose code a record holds: what a user trained here is theirs, and no other can be made to look so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrd.records import RunRecord, read_json, write_json
from lrd.records.code_seal import foreign_code

TEXT = "class Mine: ..."
CUSTOM = {"name": "custom", "path": "/home/ann/my_cell.py:Mine", "code": "abc"}
RUN: dict[str, Any] = {"spec": {"task": {"name": "copy"}, "cell": CUSTOM}, "task": {}, "sources": {"cell": TEXT}}


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record = RunRecord(tmp_path / "runs", "s", "a")
    record.create(RUN)
    return record.path


def changed(folder: Path, file: str, change: Callable[[dict[str, Any]], Any]) -> str:
    content = read_json(folder / file)
    change(content)
    write_json(folder / file, content)
    return foreign_code(folder)


def test_ones_own_is_ones_own_wherever_the_folder_is_moved(folder: Path, tmp_path: Path) -> None:
    assert foreign_code(folder) == ""
    assert foreign_code(folder.rename(tmp_path / "elsewhere")) == ""
    key = tmp_path / "state" / "lrd" / "key"
    assert key.stat().st_mode & 0o077 == 0
    assert [file.name for file in key.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("cell", [{"name": "rnn"}, {}, None, "rnn"])
def test_what_has_no_code_is_never_asked_about(tmp_path: Path, cell: Any) -> None:
    record = RunRecord(tmp_path, "s", "b")
    record.create({"spec": {"cell": cell}, "task": {}})
    assert foreign_code(record.path) == ""
    assert "seal" not in read_json(record.path / "run.json")
    assert not (tmp_path / "state" / "lrd" / "key").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.pop("seal"),
        lambda run: run.update(seal="0" * 64),
        lambda run: run.update(seal=["é"]),
        lambda run: run.update(seal="é"),
        lambda run: run["sources"].update(cell=TEXT + "\nimport os"),
        lambda run: run["sources"].update(task=TEXT),
        lambda run: run.pop("sources"),  # then the file of that name would be run
        lambda run: run["spec"]["cell"].update(path="/tmp/other.py:Mine"),
        lambda run: run["spec"].update(task=CUSTOM),
        lambda run: run["spec"].update(probe={"mine": CUSTOM}),
        lambda run: run["spec"].update(probe={"custom": {}}),
        lambda run: run["sources"].update({"probe.mine": TEXT}),
    ],
)
def test_a_record_that_was_changed_is_not_ones_own(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    assert changed(folder, "run.json", change) != ""


def test_the_code_of_a_probe_is_sealed_as_that_of_a_cell(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "s", "c")
    probe = {"gates": {"samples": 3}, "mine": {"samples": 3, "path": "/home/ann/my_probe.py:Mine", "code": "abc"}}
    spec = {"task": {"name": "copy"}, "cell": {"name": "rnn"}, "probe": probe}
    record.create({"spec": spec, "task": {}, "sources": {"probe.mine": TEXT}})
    assert foreign_code(record.path) == ""
    said = changed(record.path, "run.json", lambda run: run["sources"].update({"probe.mine": TEXT + "\nimport os"}))
    assert "brings code of its own for its probe mine, trained by" in said


@pytest.mark.parametrize("name", ["user", "host"])
def test_another_user_and_another_machine_are_named(folder: Path, name: str) -> None:
    said = changed(folder, "environment.json", lambda made: made.update({name: "elsewhere"}))
    assert said.startswith(f"{folder} brings code of its own for its cell, trained by ")
    assert "elsewhere" in said
    assert "\n" not in said
    assert "not recorded" in changed(folder, "environment.json", lambda made: made.pop(name))


def test_nobody_elses_key_will_do(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "lrd" / "key").write_bytes(b"x" * 32)
    assert foreign_code(folder) != ""
    (tmp_path / "state" / "lrd" / "key").unlink()
    assert foreign_code(folder) != ""
    assert not (tmp_path / "state" / "lrd" / "key").exists()  # asking makes none


def test_without_a_place_for_a_key_a_run_is_kept_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    record = RunRecord(tmp_path, "s", "a")
    record.create(RUN)
    assert read_json(record.path / "run.json")["sources"] == {"cell": TEXT}
    assert foreign_code(record.path) != ""
