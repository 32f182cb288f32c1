"""Several studies as one: nothing of either is lost, and what is alike stays two."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made import make_record

from lrd.records import RecordError, combine_studies, open_study, read_json, training_versions, write_json
from lrd.records.combined_study import names_of


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two studies, ``s`` with the runs a and b, ``other`` with copies of b and of c at other updates."""
    make_record(tmp_path, "a")
    make_record(tmp_path, "b", updates=(0, 10, 20, 30))
    make_record(tmp_path / "more", "b", updates=(0, 5))
    make_record(tmp_path / "more", "c", finished=False)
    return tmp_path / "s", (tmp_path / "more" / "s").rename(tmp_path / "other")


def test_runs_of_equal_id_are_two_runs(pair: tuple[Path, Path]) -> None:
    both = combine_studies([open_study(path) for path in pair])
    assert both.names == ("s", "other")
    runs = both.columns("select study, run_id, update from runs order by all")
    assert list(runs["study"]) == ["other", "other", "s", "s"]
    assert list(runs["run_id"]) == ["other/b", "other/c", "s/a", "s/b"]
    assert list(runs["update"]) == [5, 20, 20, 30]
    for table in ("metrics", "gradient_flow", "gradient_fit"):
        rows = both.columns(f"select run_id, max(chosen.update) as last from {table} as chosen group by run_id")
        assert dict(zip(rows["run_id"], rows["last"], strict=True)) == {
            "s/a": 20,
            "s/b": 30,
            "other/b": 5,
            "other/c": 20,
        }
        joined = both.columns(f"select count(*) as rows from {table} join runs using (run_id)")["rows"][0]
        assert joined == sum(
            open_study(path).columns(f"select count(*) as rows from {table}")["rows"][0] for path in pair
        )
    assert both.folder("other/b") == pair[1] / "b"


def test_a_column_or_table_that_one_lacks(pair: tuple[Path, Path]) -> None:
    run = read_json(pair[1] / "c" / "run.json")
    write_json(pair[1] / "c" / "run.json", run | {"spec": run["spec"] | {"odd": "x"}})
    (pair[0] / "a" / "gates.parquet").write_bytes((pair[0] / "a" / "metrics.parquet").read_bytes())
    both = combine_studies([open_study(path) for path in pair])
    odd = both.columns("select run_id, odd from runs order by run_id")
    assert list(odd["odd"]) == [None, "x", None, None]
    assert set(both.columns("select run_id from gates")["run_id"]) == {"s/a"}


def test_what_cannot_be_read_is_named_once(pair: tuple[Path, Path]) -> None:
    (pair[0] / "junk").mkdir()
    victim = pair[1] / "b" / "metrics.parquet"
    victim.write_bytes(victim.read_bytes()[:-20])
    both = combine_studies([open_study(path) for path in pair])
    assert set(both.columns("select run_id from metrics")["run_id"]) == {"s/a", "s/b", "other/c"}
    assert [str(pair[0] / "junk") in line or str(victim) in line for line in both.problems] == [True, True]


def test_a_condition_for_both(pair: tuple[Path, Path]) -> None:
    both = combine_studies([open_study(path) for path in pair])
    chosen = both.filtered("update = 20 or study = 'other' and run_id = 'other/b'")
    assert list(chosen.columns("select run_id from runs order by 1")["run_id"]) == ["other/b", "other/c", "s/a"]
    assert chosen.names == ("s", "other")
    assert both.filtered("study = 's'").names == ("s",)
    assert set(both.columns("select run_id from runs")["run_id"]) == {"s/a", "s/b", "other/b", "other/c"}
    with pytest.raises(RecordError, match="no run of s and other meets the condition 'update < 0'"):
        both.filtered("update < 0")


def test_one_study_is_itself_and_no_study_is_given_twice(pair: tuple[Path, Path]) -> None:
    study = open_study(pair[0])
    assert combine_studies([study]) is study
    with pytest.raises(RecordError, match="is given twice"):
        combine_studies([study, open_study(pair[0] / ".." / "s")])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/demo", "runs/demo2"], ("demo", "demo2")),
        (["a/demo", "b/demo"], ("a/demo", "b/demo")),
        (["/x/a/demo", "/y/a/demo", "/y/a/gap"], ("x/a/demo", "y/a/demo", "y/a/gap")),
        (["/demo", "/runs/demo"], ("/demo", "runs/demo")),
    ],
)
def test_names_tell_folders_apart(paths: list[str], names: tuple[str, ...]) -> None:
    assert names_of([Path(path) for path in paths]) == names


def test_versions_that_runs_were_trained_with(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    now = read_json(pair[0] / "a" / "environment.json")
    before = now | {"commit": "f" * 40, "lrd": "0.0.1"}
    write_json(pair[0] / "b" / "environment.json", now | {"earlier": [before]})
    (pair[1] / "b" / "environment.json").write_text("{")
    (pair[1] / "c" / "environment.json").unlink()
    both = combine_studies([open_study(path) for path in pair])
    names = ("lrd", "commit", "dirty", "python", "torch")
    expected = [
        {name: one.get(name) for name in names} | {"runs": count} for one, count in ((now, 2), (before, 1), ({}, 2))
    ]
    found = training_versions(both, ["s/a", "s/b", "other/b", "other/c"])
    assert sorted(found, key=str) == sorted(expected, key=str)
    shutil.rmtree(pair[0])  # read once: never again
    assert training_versions(both, ["s/a"]) == [expected[0] | {"runs": 1}]
