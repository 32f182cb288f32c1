"""SQL that somebody else wrote: one expression over the tables of the study, whatever it tries."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from commands import process_as_before
from made import make_record

from lrd.cli import main
from lrd.records import RecordError, open_study
from lrd.records.combined_study import combine_studies
from lrd.records.study import Study
from lrd.records.untrusted_sql import confined

HARMLESS = [
    "seed >= (with least as (select min(seed) as least from runs) select least from Least)",
    "gap = 3",
    "cell = 'rnn' and not (gap > 50 or seed is null)",
    "gap >= (select avg(gap) from runs)",
    "exists (select 1 from metrics m where m.run_id = runs.run_id and m.update = 10)",
    "run_id in (select run_id from METRICS join (select 10 as u) on update = u)",
    "case when seed = 0 then true else false end -- what they call the first",
    "/* all */ true",
    "list_contains([x + 1 for x in [0, 1, 2]], gap)",
    "cell in ('rnn', 'it''s; drop table runs')",
    "cell <> '\udcc3\udca9'",
    "upper(\"cell\") like 'R%' and task ~ 'co.*'",
]
#: What nobody may do: several statements, files, functions that look elsewhere, other tables, text that gets out.
HARMFUL = [
    "true; select 1",
    "true); copy (select 1) to '{out}' (format csv); select (true",
    "true) union select run_id from runs where (true",
    "false) or (true",
    "true) order by (run_id",
    "true), (true",
    "true, true",
    "select true",
    "true /*",
    "'",
    "",
    "$1",
    "exists (from '{secret}')",
    'exists (from "{secret}")',
    "exists (from read_text('{secret}'))",
    "exists (from read_csv('{secret}'))",
    "exists (from read_parquet('{study}/*/metrics.parquet'))",
    "exists (from parquet_schema('{study}/a/metrics.parquet'))",
    "exists (from glob('/*'))",
    "exists (from query('select 1'))",
    "exists (from query_table('runs'))",
    "exists (from sniff_csv('{secret}'))",
    "exists (from duckdb_settings())",
    "exists (from duckdb_settings)",
    "exists (from information_schema.tables)",
    "exists (from sqlite_master)",
    "exists (with x as (from '{secret}') from x)",
    """exists (with "{secret}" as (select 1) from '{secret}')""",
    "exists (select 1 from runs, lateral (from '{secret}'))",
    "getenv('HOME') <> ''",
    "current_setting('threads') > 0",
    "setseed(0.5) is null",
    "random() < 2",
    "attach '{out}'",
    "copy runs to '{out}'",
    "install httpfs",
    "load httpfs",
    "set threads = 1",
    "pragma version",
    "(" * 5000 + "true" + ")" * 5000,
]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for name in ("a", "b"):
        make_record(tmp_path, name)
    return open_study(tmp_path / "s")


@pytest.mark.parametrize("condition", HARMLESS)
def test_an_expression_over_the_tables_is_answered(study: Study, condition: str) -> None:
    assert study.where(condition) == ["a", "b"]
    assert study.filtered(condition).where(condition) == ["a", "b"]


@pytest.mark.parametrize("condition", HARMFUL, ids=lambda text: text[:40].encode("ascii", "replace").decode())
def test_anything_else_is_one_line_and_does_nothing(study: Study, tmp_path: Path, condition: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    before = sorted(tmp_path.rglob("*"))
    given = condition.replace("{secret}", str(secret)).replace("{study}", str(study.path))
    with pytest.raises(RecordError) as caught:
        study.where(given.replace("{out}", str(tmp_path / "s" / "out")))
    assert str(caught.value).startswith("cannot use the condition ")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert study.where("true") == ["a", "b"]


def test_a_table_that_is_not_there_has_a_neighbour(study: Study) -> None:
    with pytest.raises(RecordError, match="there is no table 'metric'; did you mean 'metrics'"):
        study.where("exists (from metric)")


@pytest.mark.parametrize(
    "statement",
    [
        "from read_text('{secret}')",
        "from '{secret}'",
        "copy runs to '{out}'",
        "attach '{out}'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "reset lock_configuration",
    ],
)
def test_the_connection_itself_lets_nothing_out(study: Study, tmp_path: Path, statement: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    query = statement.replace("{secret}", str(secret)).replace("{out}", str(tmp_path / "out"))
    with pytest.raises(duckdb.Error):
        study.connection.execute(query).fetchall()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["claims", "{}", "--filter"],
        ["figures", "{}", "--filter"],
        ["report", "{}", "--filter"],
        ["probe", "{}", "probe=gates", "--where"],
    ],
    ids=lambda command: command[0],
)
def test_no_command_takes_more(study: Study, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(study.path.rglob("*"))
    condition = f"true); copy runs to '{study.path}/out.csv'; select (true"
    with process_as_before():
        assert main([*(word.replace("{}", str(study.path)) for word in command), condition]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("lrd: cannot use the condition ")
    assert said.err.count("\n") == 1
    assert sorted(study.path.rglob("*")) == before


def test_a_connection_without_folders_reads_no_file(study: Study) -> None:
    with pytest.raises(duckdb.PermissionException):
        confined([]).execute(f"from '{study.path}/a/metrics.parquet'")


def test_full_sql_of_ones_own_is_as_it_was(study: Study) -> None:
    study.connection.register("mine", {"run_id": np.array(["a"], dtype=object)})
    study.sql("create table kept as select * from runs join mine using (run_id)")
    assert study.sql("select run_id from kept; select count(*) from metrics").fetchall() == [(6,)]


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("folder", ["it's", "[ab]*?{x}", "été %20", "a,b='c'"])
def test_a_study_is_read_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    for run_id in ("a", "b"):
        make_record(tmp_path / folder, run_id)
    (tmp_path / "link").symlink_to(tmp_path / folder / "s")
    monkeypatch.chdir(tmp_path / folder)
    for path in (tmp_path / folder / "s", Path("s"), Path("../link"), tmp_path / "link", Path("s/../s")):
        opened = open_study(path, "exists (from metrics m where m.run_id = runs.run_id)")
        assert len(opened.columns("from gradient_flow")["t"]) == 18
        assert opened.check() == []


def test_several_studies_reach_each_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("one", "[two]"):
        make_record(tmp_path / place, "a")
    monkeypatch.chdir(tmp_path)
    both = combine_studies([open_study(Path("one/s")), open_study(tmp_path / "[two]" / "s")])
    assert len(both.columns("from metrics")["update"]) == 6
    assert both.where("exists (from metrics m where m.run_id = runs.run_id)") == both.where("true")
    with pytest.raises(RecordError, match="read_text"):
        both.where(f"exists (from read_text('{tmp_path}/one/s/a/run.json'))")
    with pytest.raises(duckdb.PermissionException):
        both.connection.execute(f"from read_text('{tmp_path}/secret')")
