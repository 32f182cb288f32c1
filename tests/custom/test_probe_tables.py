"""The table of a probe of one's own, read from records: its declared types, and several probes of one name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrd.probes.arrays import as_arrays
from lrd.records import RunRecord, open_study
from lrd.records.reader import Study

RUN = {
    "spec": {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn"}, "seed": 1},
    "task": {"sequence_length": 4, "smallest_lag": 3, "largest_lag": 3, "chance": {"loss": 1.0}, "criterion": "x"},
    "parameters": 2,
}
TYPES = {"t": "BIGINT", "part": "VARCHAR", "norm": "DOUBLE", "large": "BOOLEAN"}


def study(folder: Path, *tables: tuple[dict[str, Any], dict[str, str]]) -> Study:
    """A study of a run a table, each with its columns and their types."""
    for number, (columns, types) in enumerate(tables):
        record = RunRecord(folder, "s", f"run{number}")
        record.create(RUN)
        record.write_table("my_norms", {"update": np.zeros(len(columns["t"]), dtype=int), **columns}, types)
    return open_study(folder / "s")


def types_of(opened: Study) -> dict[str, str]:
    found = opened.sql("from my_norms")
    return {name: str(kind) for name, kind in zip(found.columns, found.types, strict=True)}


def test_columns_have_the_declared_types_even_where_nothing_was_measured(tmp_path: Path) -> None:
    nothing = as_arrays({name: [] for name in TYPES}, TYPES)
    assert types_of(study(tmp_path, (nothing, TYPES))) == {"run_id": "VARCHAR", "update": "BIGINT"} | TYPES
    rows = as_arrays({"t": range(2), "part": ["h", "c"], "norm": [1, 2], "large": [True, False]}, TYPES)
    assert {name: values.dtype.kind for name, values in rows.items()} == dict(zip(TYPES, "iOfb", strict=True))
    opened = study(tmp_path / "two", (rows, TYPES))
    assert types_of(opened) == {"run_id": "VARCHAR", "update": "BIGINT"} | TYPES
    assert opened.sql("from my_norms").fetchall()[1] == ("run0", 0, 1, "c", 2.0, False)
    assert opened.problems == []


def test_probes_of_one_name_with_other_columns_are_one_line_and_nulls(tmp_path: Path) -> None:
    usual = ({"t": [1], "norm": [0.5]}, {"t": "BIGINT", "norm": "DOUBLE"})
    other = ({"t": [1], "rank": [3]}, {"t": "BIGINT", "rank": "BIGINT"})
    opened = study(tmp_path, usual, usual, other)
    assert opened.sql("select run_id, norm, rank from my_norms order by run_id").fetchall() == [
        ("run0", 0.5, None),
        ("run1", 0.5, None),
        ("run2", None, 3),
    ]
    (line,) = opened.problems
    assert line == (
        "my_norms: not all of its 3 runs have the columns norm (2), rank (1), which are NULL in the others: "
        "several probes of this name measured them"
    )


def test_a_column_of_another_type_than_in_most_runs_is_one_line_and_left_out(tmp_path: Path) -> None:
    usual = ({"t": [1], "norm": [0.5]}, {"t": "BIGINT", "norm": "DOUBLE"})
    text = ({"t": [1], "norm": ["large"]}, {"t": "BIGINT", "norm": "VARCHAR"})
    opened = study(tmp_path, usual, text, usual)
    assert opened.sql("select run_id from my_norms order by run_id").fetchall() == [("run0",), ("run2",)]
    (line,) = opened.problems
    assert "run1/my_norms.parquet" in line
    assert "its column norm is VARCHAR, not DOUBLE, as in most runs: by another probe of this name?" in line


def test_a_measurement_by_another_text_takes_the_place_of_all_before(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "s", "run")
    record.create(RUN)
    types = {"t": "BIGINT", "norm": "DOUBLE"}
    for update in (0, 5):
        record.merge_measurement("my_norms", update, {"t": [1], "norm": [0.5]}, types)
        record.note_measurement("my_norms", update, {"samples": 1, "code": "a", "class": "Norms"})
    record.note_measurement("gates", 5, {"samples": 1})
    record.merge_measurement("my_norms", 5, {"t": [1], "norm": [0.7]}, types)
    assert record.read_table("my_norms")["norm"].tolist() == [0.5, 0.7]
    record.merge_measurement("my_norms", 5, {"t": [1], "norm": [0.9]}, types, fresh=True)
    record.note_measurement("my_norms", 5, {"samples": 1, "code": "b", "class": "Norms"})
    assert record.read_table("my_norms")["norm"].tolist() == [0.9]
    assert set(record.read_measurements()) == {"my_norms@5", "gates@5"}
    record.merge_measurement("my_norms", 0, {"t": [1]}, {"t": "BIGINT"})
    assert set(record.read_table("my_norms")) == {"update", "t"}


@pytest.mark.parametrize("given", [[1, 2], None, "t"])
def test_a_table_is_a_dict(given: Any) -> None:
    with pytest.raises(TypeError, match="a table must be a dict of columns, got a"):
        as_arrays(given, TYPES)
