"""A label is no part of a run: a new one is taken over, and two at once are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jobs import config, job

from lrd.records import RunRecord
from lrd.spec import SpecError
from lrd.sweeps.asides import take_over
from lrd.sweeps.plan import jobs_from_configs, record_of


@pytest.mark.parametrize(
    ("option", "first", "other"),
    [
        ("cell_label", "a", "b"),
        ("cell_label", None, "b"),
        ("pack_size", 1, 2),
        ("deterministic", True, False),
        ("tracker_mode", "offline", "disabled"),
        ("training_gradient_norms", None, False),
    ],
)
def test_one_run_cannot_have_two_values_at_once(option: str, first: Any, other: Any) -> None:
    key = option.replace("_", ".", 1) if option.startswith(("cell", "tracker", "training")) else option
    sweep = [config(seed=seed, **{option: value}) for seed in (0, 1) for value in (first, other)]
    with pytest.raises(SpecError) as caught:
        jobs_from_configs(sweep)
    (line,) = str(caught.value).splitlines()  # one, of however many runs
    assert line.startswith(f"{key}: ")
    written = {"None": "null", "True": "true", "False": "false"}
    one, two = (written.get(repr(value), repr(value)) for value in (first, other))
    assert f"is given as {one} and {two}; choose one" in line


def test_equal_jobs_and_other_studies_are_no_contradiction() -> None:
    assert len(jobs_from_configs([config(cell_label="a")] * 2)) == 1
    assert len(jobs_from_configs([config(cell_label="a"), config(cell_label="b", seed=1)])) == 2
    assert len(jobs_from_configs([config(cell_label="a"), config(cell_label="b", study="other")])) == 2


def finished(root: Path, **options: Any) -> RunRecord:
    of = job(root, **options)
    record = record_of(of)
    record.create({"spec": of.run.to_dict(), "task": {}, "parameters": 7})
    record.finish({"outcome": "solved", "update": 3})
    return record


def test_a_finished_run_takes_the_new_label_over_and_nothing_else(tmp_path: Path) -> None:
    record = finished(tmp_path, cell_label="a")
    before = {path.name: path.read_bytes() for path in record.path.iterdir()}
    again = job(tmp_path, cell_label="b", pack_size=2, tracker_mode="disabled")
    assert record_of(again).path == record.path
    assert take_over([again]) == {"cell.label": 1}
    after = {path.name: path.read_bytes() for path in record.path.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"run.json"}
    assert after.keys() == before.keys()
    expected = json.loads(before["run.json"])
    expected["spec"]["cell"]["label"] = "b"
    assert record.read_run() == expected
    assert take_over([again]) == {}  # it is known by now
    assert take_over([job(tmp_path)]) == {"cell.label": 1}  # and can be taken off again
    assert record.read_run()["spec"]["cell"]["label"] is None


def test_a_record_without_the_option_or_one_that_is_damaged_stays(tmp_path: Path) -> None:
    record = finished(tmp_path, cell_label="a")
    run = record.read_run()
    del run["spec"]["cell"]["label"]  # as before there was such an option
    for text in (json.dumps(run), json.dumps(run | {"spec": []}), json.dumps(run | {"spec": {}}), "{"):
        (record.path / "run.json").write_text(text)
        assert take_over([job(tmp_path)]) == {}
        assert (record.path / "run.json").read_text(encoding="utf-8") == text


def test_a_run_that_goes_on_has_the_new_label(tmp_path: Path) -> None:
    from jobs import pack

    from lrd.sweeps.workers import train_pack

    options = {"training_max_updates": 3, "cell_label": "a"}
    record = record_of(job(tmp_path, **options))
    train_pack(pack(0, job(tmp_path, **options)), lambda _: None, lambda: False)
    (record.path / "summary.json").unlink()  # as if it had not come to its end
    train_pack(pack(0, job(tmp_path, **options | {"cell_label": "b"})), lambda _: None, lambda: False)
    assert record.finished
    assert record.read_run()["spec"]["cell"]["label"] == "b"
