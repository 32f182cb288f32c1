"""Parquet tables: what goes in comes back, nan and NULL apart."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrd.records.files import RecordError
from lrd.records.tables import read_table, write_table

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # no lone surrogates: they are not text
int64s = st.integers(-(2**63), 2**63 - 1)
rows = st.lists(
    st.tuples(
        int64s, st.floats(), st.none() | st.floats(), texts, st.none() | texts, st.booleans(), st.none() | int64s
    ),
    max_size=20,
)
NAMES = ("integer", "real", "real_or_null", "text", "text_or_null", "truth", "integer_or_null")


def plain(array: np.ndarray) -> list[Any]:
    """Values with None for NULL, and floats as their text, which tells nan, -0.0 and the infinities apart."""
    masks = np.ma.getmaskarray(array)
    items = [None if masked else value for value, masked in zip(np.ma.getdata(array).tolist(), masks, strict=True)]
    return [str(item) if isinstance(item, float) else item for item in items]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_tables_come_back_as_they_were(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    path = tmp_path / "x.parquet"
    columns = {name: [row[index] for row in rows] for index, name in enumerate(NAMES)}
    write_table(path, columns)
    back = read_table(path)
    assert list(back) == list(NAMES)
    for name, values in columns.items():
        expected = [
            "nan" if isinstance(v, float) and math.isnan(v) else str(v) if isinstance(v, float) else v for v in values
        ]
        assert plain(back[name]) == expected, name
    assert os.listdir(tmp_path) == ["x.parquet"]


def test_types_hold_whatever_the_values_are(tmp_path: Path) -> None:
    types = {"a": "BIGINT", "b": "DOUBLE", "c": "VARCHAR", "d": "BOOLEAN"}
    path = tmp_path / "x.parquet"
    tables: list[dict[str, Any]] = [
        {"a": [], "b": [], "c": [], "d": []},
        {"a": [None], "b": [None], "c": [None], "d": [None]},
        {"a": np.array([1], np.int16), "b": np.array([1]), "c": np.array(["x"]), "d": np.array([True])},
    ]
    for columns in tables:
        write_table(path, columns, types)
        kinds = [np.ma.getdata(column).dtype.kind for column in read_table(path).values()]
        assert kinds == ["i", "f", "O", "b"], columns


def test_masked_is_null_and_nan_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_table(path, {"x": np.ma.array([1.0, math.nan, -math.inf, 5.0], mask=[False, False, False, True])})
    assert plain(read_table(path)["x"]) == ["1.0", "nan", "-inf", None]


@pytest.mark.parametrize(
    ("columns", "types"),
    [
        ({}, {}),
        ({"a": [1], "A": [2]}, {}),
        ({"a": [1], "b": [1, 2]}, {}),
        ({"a": np.zeros((2, 2))}, {}),
        ({"a": [object()]}, {}),
        ({"a": np.array([1j])}, {}),
        ({"a": ["x", 1]}, {}),
        ({"a": np.array([2**63], np.uint64)}, {}),
        ({"a": ["x"]}, {"a": "DOUBLE"}),
        ({"a": [1.5]}, {"a": "BIGINT"}),
    ],
)
def test_what_has_no_place_in_a_table_is_refused(tmp_path: Path, columns: Any, types: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"column|differ"):
        write_table(tmp_path / "x.parquet", columns, types)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("folder", ["it's", "a[1]", "a[1]*?", 'q"uote', "seed=3"])
def test_odd_paths(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "x.parquet"
    path.parent.mkdir()
    sibling = tmp_path / folder.replace("[1]", "1").rstrip("*?") / "x.parquet"  # what the name means as a pattern
    sibling.parent.mkdir(exist_ok=True)
    write_table(sibling, {"a": [3]})
    write_table(path, {"a": [1, 2]})
    assert {name: column.tolist() for name, column in read_table(path).items()} == {"a": [1, 2]}


def test_damaged_missing_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(FileNotFoundError):
        read_table(path)
    write_table(path, {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match=r"x\.parquet: it is damaged"):
        read_table(path)
    with pytest.raises(RecordError, match=r"gone/x\.parquet: its folder is gone"):
        write_table(tmp_path / "gone" / "x.parquet", {"a": [1]})


def test_a_forked_child_writes_too(tmp_path: Path) -> None:
    """A worker forked after the parent has written must not share the parent's connection."""
    code = (
        "import os, sys; from pathlib import Path; from lrd.records.tables import write_table\n"
        "write_table(Path(sys.argv[1]), {'a': [1]})\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    write_table(Path(sys.argv[2]), {'a': [2]}); os._exit(0)\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    paths = [str(tmp_path / name) for name in ("parent", "child")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=60, cwd=Path(__file__).parents[2])
    assert [read_table(Path(path))["a"].tolist() for path in paths] == [[1], [2]]
