"""A study as tables: types, joins, damage, speed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrd.records import schema
from lrd.records.files import RecordError, read_json, write_json
from lrd.records.reader import open_study
from lrd.records.record import RunRecord

ROOT = Path(__file__).parents[2]
ERRORS = {"slope_error": [0.1], "samples": [4], "fallen_e": [1.0], "fallen_milli": [2.0]}


def make_run(root: Path, run_id: str, *, outcome: str | None = "solved", **spec: Any) -> RunRecord:
    record = RunRecord(root, "demo", run_id)
    record.path.mkdir(parents=True)
    run = {
        "schema": 1,
        "run_id": run_id,
        "study": "demo",
        "spec": {
            "task": {"name": "copy", "gap": 30, "convention": "arjovsky2016", **spec.get("task", {})},
            "cell": {"name": "lstm", "hidden_size": 8, **spec.get("cell", {})},
            "optimizer": {"name": "adam", "lr": 0.003, **spec.get("optimizer", {})},
            "seed": spec.get("seed", 0),
        },
        "task": {
            "sequence_length": 50,
            "smallest_lag": 40,
            "largest_lag": 41,
            "chance": {"loss": 0.4, "recall_accuracy": 0.125},
            "landmarks": {"one": 0.1, "never": float("inf")},
            "criterion": "x",
        },
        "parameters": 123,
    }
    write_json(record.path / "run.json", run)
    if outcome is not None:
        solved_at = 80 if outcome == "solved" else None
        summary = {"outcome": outcome, "update": 90, "solved_at": solved_at, "diverged_at": None, "seconds": 1.5}
        record.finish({**summary, "test_loss": float("nan") if outcome == "diverged" else 0.25})
    return record


def with_tables(record: RunRecord, **metrics: Any) -> RunRecord:
    record.metrics({"update": [0, 10], "train_loss": [1.0, 0.5], **metrics})
    norms = {name: [-np.inf, -1.0] for name, kind in schema.GRADIENT_FLOW_COLUMNS.items() if kind == schema.REAL}
    names = {
        "layer": [1, 1],
        "direction": ["forward"] * 2,
        "variable": ["h", "h"],
        "part": ["total", "total"],
        "answer": ["-1", "-1"],
    }
    record.write_table("gradient_flow", {"update": [10, 10], **names, "t": [0, 1], "lag": [1, 0], **norms})
    fits = {"update": [10], "layer": [1], "direction": ["forward"], "variable": ["h"], "slope": [-0.5]}
    record.write_table("gradient_fit", {**fits, "horizon": [0.9], "points": [2], **ERRORS})
    return record


def test_two_lines_open_a_study(tmp_path: Path) -> None:
    for number, outcome in enumerate(["solved", "unsolved", "solved", None]):
        make_run(tmp_path, f"lstm{number}", outcome=outcome, seed=number)
    make_run(tmp_path, "rnn0", outcome="diverged", cell={"name": "rnn"})
    study = open_study(f"{tmp_path}/demo")
    rows = study.sql("select cell, task, gap, avg(solved) from runs group by all order by cell").fetchall()
    assert rows == [("lstm", "copy", 30, pytest.approx(2 / 3)), ("rnn", "copy", 30, 0.0)]  # NULL until finished
    assert study.problems == []


def test_the_columns_of_runs(tmp_path: Path) -> None:
    make_run(tmp_path, "a", optimizer={"lr": 1, "betas": [0.9, float("inf")], "clip": None, "nesterov": True})
    make_run(tmp_path, "b", outcome="diverged", cell={"gain": "auto", "Alpha": 2**70}, task={"gap": 10})
    make_run(tmp_path, "c", outcome=None, cell={"gain": 1.5}).status("failed", update=7, max_updates=9, message="oh")
    study = open_study(tmp_path / "demo")
    names = (
        "run_id, study, state, outcome, solved, update, max_updates, solved_at, diverged_at, seconds, message, task, "
        "cell, gap, convention, seed, hidden_size, sequence_length, smallest_lag, largest_lag, chance_loss, criterion, "
        "parameters, task_name, task_gap, optimizer_lr, optimizer_betas, optimizer_clip, optimizer_nesterov, "
        "cell_gain, cell_alpha, test_loss, chance->>'recall_accuracy', landmarks->>'never'"
    )
    same = ("x", 123)
    rows = study.sql(f"select {names} from runs order by run_id").fetchall()
    assert rows[0] == (
        *("a", "demo", "finished", "solved", 1, 90, 90, 80, None, 1.5, "", "copy"),
        *("lstm", 30, "arjovsky2016", 0, 8, 50, 40, 41, 0.4, *same, "copy", 30, 1.0, '[0.9, "inf"]', None, True),
        *(None, None, 0.25, "0.125", "inf"),
    )
    assert rows[1][:11] == ("b", "demo", "finished", "diverged", 0, 90, 90, None, None, 1.5, "")
    assert np.isnan(rows[1][-3])
    assert rows[1][-5:-3] == ("auto", str(2**70))
    assert rows[1][13] == 10
    assert rows[2][:11] == ("c", "demo", "failed", None, None, 7, 9, None, None, None, "oh")
    assert rows[2][-5] == "1.5"
    assert rows[2][-3] is None
    types = dict(study.sql("select column_name, column_type from (describe runs)").fetchall())
    assert types["solved_at"] == types["diverged_at"] == "BIGINT"
    assert types["optimizer_lr"] == "DOUBLE"
    assert types["cell_gain"] == "VARCHAR"
    assert types["optimizer_nesterov"] == "BOOLEAN"


def test_every_column_is_documented(tmp_path: Path) -> None:
    with_tables(make_run(tmp_path, "a"))
    study = open_study(tmp_path / "demo")
    columns = {name: [column for column, _, _ in described] for name, _, described in schema.schema_tables()}
    documented = {name: [part for one in of for part in one.split(", ")] for name, of in columns.items()}
    for table in ("runs", "metrics", "gradient_flow", "gradient_fit"):
        for name in getattr(study, table).columns:
            known = name == "run_id" or any(fnmatchcase(name, pattern) for pattern in documented[table])
            assert known or name.startswith(("task_", "cell_", "optimizer_")), name


def test_tables_join_by_run(tmp_path: Path) -> None:
    with_tables(make_run(tmp_path, "a"))
    with_tables(make_run(tmp_path, "b", cell={"name": "rnn"}), eval_loss=[None, 2.0])
    make_run(tmp_path, "c", outcome=None)  # has no tables yet
    study = open_study(tmp_path / "demo")
    query = (
        "select run_id, cell, max(eval_loss), count(*) from metrics join runs using (run_id) group by all order by 1"
    )
    assert study.sql(query).fetchall() == [("a", "lstm", None, 2), ("b", "rnn", 2.0, 2)]
    assert study.metrics.columns == ["run_id", "update", "train_loss", "eval_loss"]
    flow = study.columns("select run_id, t, lag, log10_mean from GRADIENT_FLOW order by run_id, t")
    assert [flow[name].tolist() for name in flow] == [list("aabb"), [0, 1, 0, 1], [1, 0, 1, 0], [-np.inf, -1.0] * 2]
    assert study.gradient_fit.fetchall() == [
        (name, 10, 1, "forward", "h", -0.5, 0.9, 2, 0.1, 4, 1.0, 2.0) for name in "ab"
    ]
    assert len(study.connection.sql("from metrics, gradient_flow, gradient_fit").fetchall()) == 4 * 4 * 2


def test_columns_with_null(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    rows = "(1, 'x', true, 1.5::double), (null, null, null, null), (3, 'y', false, 'nan')"
    query = f"select * from (values {rows}) t(i, s, b, r) order by s nulls last"
    columns = open_study(tmp_path / "demo").columns(query)
    assert columns["s"].tolist() == ["x", "y", None]
    for name, expected in {"i": [1, 3, np.nan], "b": [1, 0, np.nan], "r": [1.5, np.nan, np.nan]}.items():
        np.testing.assert_array_equal(columns[name].astype(float), expected)
        assert not isinstance(columns[name], np.ma.MaskedArray)


def test_without_any_parquet_the_tables_are_empty(tmp_path: Path) -> None:
    make_run(tmp_path, "a", outcome=None)
    study = open_study(tmp_path / "demo")
    assert study.sql("select run_id, update from metrics").fetchall() == []
    assert study.sql("select variable, log10_q95 from gradient_flow").fetchall() == []
    assert study.gradient_fit.columns == ["run_id", *schema.GRADIENT_FIT_COLUMNS]


def test_damaged_and_foreign_folders_are_named_and_left_out(tmp_path: Path) -> None:
    for name in ("good", "half", "list", "other", "summary", "status", "spec"):
        with_tables(make_run(tmp_path, name))
    demo = tmp_path / "demo"
    (demo / "half/run.json").write_bytes((demo / "half/run.json").read_bytes()[:-30])
    (demo / "list/run.json").write_text("[]")
    write_json(demo / "other/run.json", {**read_json(demo / "other/run.json"), "schema": 2})
    write_json(demo / "spec/run.json", {"schema": 1, "run_id": "spec"})
    (demo / "summary/summary.json").write_text("")
    (demo / "status/status.json").write_text("{")
    shutil.copytree(demo / "good", demo / "good (copy)")
    (demo / "foreign").mkdir()
    (demo / "wandb").mkdir()
    (demo / ".cache").mkdir()
    (demo / "notes.txt").write_text("a file is nobody's business")
    study = open_study(demo)
    assert study.sql("select run_id from runs").fetchall() == [("good",)]
    assert study.sql("select distinct run_id from metrics").fetchall() == [("good",)]
    expected = {
        "foreign": "no run.json",
        "good (copy)": "run of another name, 'good'",
        "half": "run.json: it is damaged",
        "list": "run.json: it is damaged",
        "other": "schema version 2; this lrd reads 1",
        "spec": "spec or task is missing",
        "status": "status.json: it is damaged",
        "summary": "summary.json: it is damaged",
    }
    assert len(study.problems) == len(expected)
    for problem, (name, words) in zip(study.problems, sorted(expected.items()), strict=True):
        assert f"demo/{name}" in problem
        assert words in problem
        assert "\n" not in problem


def test_damaged_parquet_is_named_and_left_out(tmp_path: Path) -> None:
    for name in ("cut", "empty", "footer", "good"):
        with_tables(make_run(tmp_path, name))
    whole = (tmp_path / "demo/footer/metrics.parquet").read_bytes()
    (tmp_path / "demo/cut/metrics.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "demo/empty/metrics.parquet").write_bytes(b"")
    length = int.from_bytes(whole[-8:-4], "little")
    (tmp_path / "demo/footer/metrics.parquet").write_bytes(whole[: -8 - length] + b"\xff" * length + whole[-8:])
    study = open_study(tmp_path / "demo")
    assert study.problems == []  # parquet is read when it is asked for
    assert study.sql("select distinct run_id from metrics").fetchall() == [("good",)]
    assert [problem.split("/metrics.parquet")[0][-6:].split("/")[-1] for problem in study.problems] == [
        *("cut", "empty", "footer"),
    ]
    assert study.sql("select count(distinct run_id) from gradient_fit").fetchall() == [(4,)]
    assert study.sql("select count(*) from runs").fetchall() == [(4,)]


def test_no_study(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "a")
    (tmp_path / "empty/wandb").mkdir(parents=True)
    (tmp_path / "broken/x").mkdir(parents=True)
    for path, words in {
        "nowhere": "there is no study at .*nowhere",
        "empty": "no readable runs in .*empty",
        "broken": r"no readable runs in .*broken \(the first problem: .*x is no run",
        "runs": r"holds studies, not runs.*\(demo\)",
        "runs/demo/a": "is one run, not a study.*runs/demo",
        "runs/demo/a/run.json": "cannot read",
    }.items():
        with pytest.raises(RecordError, match=words) as caught:
            open_study(tmp_path / path)
        assert "\n" not in str(caught.value)


def test_a_study_of_some_runs(tmp_path: Path) -> None:
    for seed in range(3):
        with_tables(make_run(tmp_path, f"lstm-{seed}", seed=seed))
    study = open_study(tmp_path / "demo")
    some = study.filtered("seed >= 1")
    assert [run_id for (run_id,) in some.sql("select run_id from runs order by 1").fetchall()] == ["lstm-1", "lstm-2"]
    assert set(some.columns("select run_id from metrics")["run_id"]) == {"lstm-1", "lstm-2"}
    assert len(study.columns("select run_id from runs")["run_id"]) == 3
    with pytest.raises(RecordError, match=r"no run of .* meets the condition 'seed > 7'"):
        study.filtered("seed > 7")
    with pytest.raises(RecordError, match="cannot use the condition 'sede > 7'"):
        study.filtered("sede > 7")


def test_a_query_finds_no_python_variables(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    metric = {"x": np.arange(3)}  # one letter short of a table
    with pytest.raises(Exception, match="metric"):
        open_study(tmp_path / "demo").connection.sql("from metric").fetchall()
    assert metric


def test_odd_folder_names(tmp_path: Path) -> None:
    with_tables(make_run(tmp_path / "it's [1]*", "seed=3"))
    study = open_study(tmp_path / "it's [1]*" / "demo")
    assert study.sql("select run_id, seed, train_loss from metrics join runs using (run_id)").fetchall() == [
        ("seed=3", 0, 1.0),
        ("seed=3", 0, 0.5),
    ]


def test_reading_while_a_run_goes_on(tmp_path: Path) -> None:
    """Opened again and again, a study in training is whole each time; opened once, it follows a new metric too."""
    record = make_run(tmp_path, "a", outcome=None)
    record.metrics({"update": [0], "train_loss": [0.0]})
    opened = open_study(tmp_path / "demo")
    assert opened.metrics.columns == ["run_id", "update", "train_loss"]
    done = threading.Event()

    def train() -> None:
        for update in range(2, 60):
            record.status("running", update=update, max_updates=60)
            losses = [float(update)] * update
            record.metrics({"update": list(range(update)), "train_loss": losses, "eval_loss": losses})
        record.finish({"outcome": "solved", "update": 60})
        done.set()

    trainer = threading.Thread(target=train)
    trainer.start()
    lengths = set()
    while not done.is_set():
        study = open_study(tmp_path / "demo")
        rows = study.sql("select count(*), min(train_loss), max(train_loss) from metrics").fetchall()
        assert rows == [(rows[0][0], rows[0][0], rows[0][0])] or rows == [(1, 0.0, 0.0)]
        assert study.problems == []
        lengths.add(rows[0][0])
    trainer.join()
    assert len(lengths) > 2
    assert opened.sql("select max(eval_loss) from metrics").fetchall() == [(59.0,)]


def test_hundreds_of_runs_are_read_quickly(tmp_path: Path) -> None:
    first = with_tables(make_run(tmp_path, "run000"))
    run = read_json(first.path / "run.json")
    for number in range(1, 300):
        folder = tmp_path / "demo" / f"run{number:03d}"
        shutil.copytree(first.path, folder)
        # plain text: three hundred flushes to the disk are not what is tested
        text = (folder / "run.json").read_text().replace('"run000"', f'"{folder.name}"')
        (folder / "run.json").write_text(text.replace('"seed": 0', f'"seed": {number}'))
    assert run["run_id"] == "run000"
    start = time.perf_counter()
    study = open_study(tmp_path / "demo")
    opened = time.perf_counter() - start
    assert study.sql("select count(distinct seed), count(*) from runs").fetchall() == [(300, 300)]
    query = "select count(*), sum(train_loss * (seed + 1)) from metrics join runs using (run_id)"
    assert study.sql(query).fetchall() == [(600, 1.5 * 300 * 301 / 2)]
    assert study.problems == []
    assert opened < 1.5
    assert time.perf_counter() - start < 3


def test_importing_the_records_is_cheap() -> None:
    code = (
        "import sys; import lrd.records\n"
        "print([name for name in ('torch', 'duckdb', 'wandb', 'matplotlib', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
