"""Whatever stands in the files of one run, it is read or named and left out; the others are read as ever."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import process_as_before
from made import make_record

from lrd.cli import main
from lrd.figures import DrawnFigures
from lrd.probes import PROBES
from lrd.records import open_study, training_versions
from lrd.records.study import Study
from lrd.report.costs import costs
from lrd.report.machines import environments, machines
from lrd.report.results import results
from lrd.report.shortfall import shortfall
from lrd.sweeps import standing, tables

DEEP = "DEEP"  # what nests deeper than any reader goes down
VALUES: list[Any] = [
    *(2**70, -1, 0.5, 1e400, 10**400, "three", "", "nan", "\ud800", "a\0b", True, None),
    *([], [1], ["x", None, {}], {}, {"x": 1}, {"a": {"b": [2]}}, {"\udcff": "\udcff"}, DEEP),
]
FILES = ("run.json", "status.json", "summary.json", "environment.json")
TABLES = ("metrics", "gradient_flow", "gradient_fit", "gates")


def keys(tree: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield (*above, key)
        yield from keys(value, (*above, key))


def spoiled(tree: Any, path: tuple[str, ...], value: Any) -> str:
    """The JSON text of a tree with another value at one key."""
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    text = json.dumps(tree).replace("Infinity", "1e400")
    return text.replace(f'"{DEEP}"', '{"x":' * 900 + "1" + "}" * 900)


def read_all(study: Study) -> None:
    """All that status, figures, hypotheses and reports ask of a study, but for the drawing."""
    for name in ("runs", *study.tables):
        assert study.columns(f"select * from {name}")["run_id"] is not None
    study.sql('select max(eval_loss), max("update") + 1 from metrics').fetchall()
    study.sql('select sum(slope), max("update") from gradient_fit').fetchall()
    study.sql("select sum(log10_mean), max(t + lag) from gradient_flow group by variable, part, answer").fetchall()
    study.sql("select avg(test_loss), max(gap) + 1, max(seed) + 1, sum(seconds), max(chance_loss) from runs").fetchall()
    for chance, landmarks in study.sql("select chance, landmarks from runs").fetchall():
        levels = {**json.loads(chance), **json.loads(landmarks)}
        assert [level for level in levels.values() if not isinstance(level, float | int | str | None)] == []
    training_versions(study, study.where("true"))
    made = environments(study)
    machines(made), costs(study, made), results(study), shortfall(study, made)
    tables.states(study), standing.to_go(study, found := standing.holders(study)), standing.unheld(study, found)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two runs, of which one is to be spoiled."""
    root = tmp_path_factory.mktemp("valid")
    for name in ("bad", "good"):
        record = make_record(root, name, tracker={"name": "none", "mode": "offline", "project": "lrd", "entity": None})
        run = json.loads((record.path / "run.json").read_text())
        run["task"] |= {"smallest_lag": 1, "largest_lag": 3, "chance": {"loss": 0.5}, "landmarks": {"half": 0.25}}
        run["task"]["criterion"] = "always"
        run["spec"]["training"] = {"max_updates": 20}
        run["spec"]["optimizer"] = {"name": "adam", "lr": 0.1, "betas": [0.9, 0.99]}
        run["spec"]["cell"] |= {"label": "it", "hidden_size": 3}
        run["sources"] = {"cell": "x = 1"}
        (record.path / "run.json").write_text(json.dumps(run))
        status = json.loads((record.path / "status.json").read_text())
        status |= {"kernel": "loop", "hardware": "cpu", "pack_size": 1.5, "resumed": 0, "seconds": 2.0}
        (record.path / "status.json").write_text(json.dumps(status))
        types = PROBES["gates"].tables()["gates"]
        filled = {"VARCHAR": ["f", "i"], "BIGINT": [0, 20], "DOUBLE": [0.5, 0.6]}
        record.write_table("gates", {"update": [0, 20], **{name: filled[kind] for name, kind in types.items()}}, types)
    read_all(open_study(root / "s"))
    assert open_study(root / "s").check() == []
    return root / "s"


def another(study: Path, run_id: str) -> Path:
    """A copy of the good run, as a run of its own."""
    folder = study / run_id
    shutil.copytree(study / "good", folder)
    for name in ("run.json", "status.json"):
        content = json.loads((folder / name).read_text())
        content.pop("crc32", None)
        (folder / name).write_text(json.dumps(content | ({"run_id": run_id} if name == "run.json" else {})))
    return folder


def all_are_read_or_named(study: Path, bad: Collection[str]) -> Study:
    """Read a study as every command does: each bad run is in it or has a line, and the others are as ever."""
    opened = open_study(study)
    read_all(opened)
    lines = {run_id: [line for line in opened.problems if re.search(f"/{run_id}[/: ]", line)] for run_id in bad}
    ids = opened.where("true")
    assert [run_id for run_id in bad if run_id not in ids and len(lines[run_id]) != 1] == []
    assert len(opened.problems) == sum(map(len, lines.values()))
    assert [line for line in opened.problems if not line.isprintable()] == []
    assert opened.where("test_loss = 0.5 and gap = 3 and seed = 0 and run_id = 'good'") == ["good"]
    return opened


def spoil(study: Path, file: str, finished: bool, values: Sequence[Any] = VALUES) -> Iterator[str]:
    """Make a run for each key of a file and each value, which has that value at that key, and no tables."""
    of = f"{file.partition('.')[0]}-{finished}"
    for path in keys(json.loads((another(study, of) / file).read_text())):
        for number, value in enumerate(values):
            folder = another(study, f"{of}-{'_'.join(path)}-{number}")
            if not finished and file != "summary.json":
                (folder / "summary.json").unlink()
            for table in folder.glob("*.parquet"):
                table.unlink()
            (folder / file).write_text(spoiled(json.loads((folder / file).read_text()), path, value))
            yield folder.name


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("finished", [True, False])
def test_any_value_at_any_key_is_read_or_named(valid: Path, tmp_path: Path, file: str, finished: bool) -> None:
    study = tmp_path / "s"
    shutil.copytree(valid, study)
    bad = list(spoil(study, file, finished))
    opened = all_are_read_or_named(study, bad)
    assert opened.problems or file == "environment.json"


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_other_columns_is_named_and_left_out(valid: Path, tmp_path: Path, table: str) -> None:
    study = tmp_path / "s"
    shutil.copytree(valid, study)
    names = open_study(study).sql(f"select * exclude (run_id) from {table}").columns
    wrong = ["'three'", "[1, 2]", "{'a': 1}", "date '2020-01-01'", "true", "null", "1.5::decimal(5, 2)"]
    changes = ["*, 1 as run_id", "*, 'x' as filename", "*, 'x' as odd", "1 as x"]
    changes += [f'* replace ({value} as "{name}")' for name in names for value in wrong]
    changes += [f'* exclude ("{name}")' for name in names]
    bad = {f"bad{number}": change for number, change in enumerate(changes)}
    for run_id, change in bad.items():
        source, file = (study / name / f"{table}.parquet" for name in ("good", run_id))
        another(study, run_id)
        duckdb.sql(f"copy (select {change} from '{source}') to '{file}' (format parquet)")
    opened = all_are_read_or_named(study, bad)
    assert opened.where("true") == sorted(["bad", "good", *bad])
    left = set(opened.columns(f"select run_id from {table}")["run_id"])
    assert {"good", "bad"} <= left
    assert [
        bad[run_id] for run_id in bad.keys() - left if not any(f"/{run_id}/" in line for line in opened.problems)
    ] == []
    assert len(left) < len(bad)


@pytest.mark.slow
@pytest.mark.usefixtures("numbers_alone")
def test_every_command_goes_on(
    valid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "s"
    shutil.copytree(valid, study)
    for file in FILES:
        for finished in (True, False):
            list(spoil(study, file, finished, [2**70, "three", [1], "\ud800", -1, {"x": "y"}, None]))
    former = "claims: {it: {says: It., measure: mean, number: test_loss, of: gap = 3, above: 0}}"
    (study / "claims.yaml").write_text(former)
    with process_as_before():
        for command in ("status", "claims", "figures", "report"):
            status = main([command, str(study), *(["--no-pdf"] if command == "report" else [])])
            said = capsys.readouterr()
            assert status == 0, (command, said.err[-2000:])
            assert "Traceback" not in said.err
            if command == "figures":  # which the report would draw again
                monkeypatch.setattr("lrd.figures.draw_all", lambda *_: DrawnFigures())
    assert json.loads(next((study / "figures").glob("*.json")).read_text())
