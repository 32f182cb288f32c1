"""Tables of before they said of which part of a network a row is: read, mixed with newer ones and measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import make_record

from lrd.probes import PROBES
from lrd.records import RunRecord, combine_studies, open_study
from lrd.records.schema import GRADIENT_NORMS_COLUMNS
from lrd.records.tables import read_table, with_parts, write_table

PARTS = ("layer", "direction")


def make_older(record: RunRecord) -> RunRecord:
    """Take from the tables of a record what they did not always have."""
    for path in record.path.glob("*.parquet"):
        columns = {name: values for name, values in read_table(path).items() if name not in PARTS}
        write_table(path, columns)
    return record


def table_of(kinds: dict[str, str], rows: int = 2) -> dict[str, Any]:
    filled: dict[str, Any] = {"VARCHAR": "x", "BIGINT": 3, "DOUBLE": 0.5, "BOOLEAN": True}
    columns = {column: [filled[kind]] * rows for column, kind in kinds.items()}
    return {"update": [0] * rows, **columns} | ({"layer": [1, 2]} if "layer" in kinds else {})


KINDS = {"gates": PROBES["gates"].tables()["gates"], "gradient_norms": GRADIENT_NORMS_COLUMNS}
KINDS["mine"] = {"layer": "BIGINT", "direction": "VARCHAR", "size": "DOUBLE"}  # of a researcher's own probe


def make_study(root: Path, *runs: tuple[str, bool]) -> Path:
    """A study of runs, of each its id and whether its tables are older ones."""
    for run_id, older in runs:
        record = make_record(root, run_id, finished=False)
        for name, kinds in KINDS.items():
            record.write_table(name, table_of(kinds), kinds)
        if older:
            make_older(record)
    return root / "s"


TABLES = ["gradient_flow", "gradient_fit", *KINDS]


@pytest.mark.parametrize("table", TABLES)
def test_older_tables_are_of_networks_of_one_part_beside_newer_ones(tmp_path: Path, table: str) -> None:
    study = open_study(make_study(tmp_path, ("new", False), ("old", True)))
    found = study.columns(f"select distinct run_id, layer, direction from {table} order by all")
    rows = list(zip(*(found[name].tolist() for name in ("run_id", "layer", "direction")), strict=True))
    direction = "x" if table in KINDS else "forward"
    of_new = [("new", layer, direction) for layer in ((1, 2) if table in KINDS else (1,))]
    assert rows == [*of_new, ("old", 1, "forward")]
    assert study.check() == []


@pytest.mark.parametrize("table", [name for name in TABLES if name != "mine"])
def test_a_study_of_older_tables_alone_has_the_columns_of_today(tmp_path: Path, table: str) -> None:
    old = make_study(tmp_path / "a", ("old", True))
    study = open_study(old)
    types = dict(zip(*(getattr(study.sql(f"from {table}"), of) for of in ("columns", "types")), strict=True))
    assert (str(types["layer"]), str(types["direction"])) == ("BIGINT", "VARCHAR")
    assert set(study.columns(f"select layer || direction as part from {table}")["part"]) == {"1forward"}
    new = make_study(tmp_path / "b", ("new", False))
    new = new.rename(new.with_name("newer"))
    both = combine_studies([open_study(old), open_study(new)])
    assert both.sql(f"select count(*) from {table} where layer is null or direction is null").fetchall() == [(0,)]
    assert both.problems == []


def test_a_table_without_parts_has_none(tmp_path: Path) -> None:
    record = make_record(tmp_path, "run")
    record.write_table("other", {"update": [0], "layer": [4]}, {"layer": "BIGINT"})
    study = open_study(tmp_path / "s")
    assert study.sql("from other").columns == ["run_id", "update", "layer"]
    assert study.sql("select layer from other").fetchall() == [(4,)]


def test_measuring_again_keeps_the_rows_of_an_older_table(tmp_path: Path) -> None:
    record = make_older(make_record(tmp_path, "run", updates=(0, 10, 20)))
    kinds = PROBES["gradient_flow"].tables()["gradient_fit"]
    before = record.read_table("gradient_fit")
    again = {name: values[:1] for name, values in with_parts(before, kinds).items() if name != "update"}
    record.merge_measurement("gradient_fit", 10, again | {"slope": np.array([0.75])}, kinds)
    after = record.read_table("gradient_fit")
    assert after["update"].tolist() == [0, 10, 20]
    assert after["slope"].tolist() == [0.5, 0.75, 0.5]
    assert after["layer"].tolist() == [1, 1, 1]
    assert set(after["direction"]) == {"forward"}


def test_columns_are_added_where_a_table_of_today_has_them_alone() -> None:
    old = {"update": np.arange(2)}
    assert with_parts(old, ["update"]) == old
    found = with_parts(old, ["layer", "direction"])
    assert (found["layer"].tolist(), found["direction"].tolist()) == ([1, 1], ["forward"] * 2)
    own = {"layer": np.array([7])}
    assert with_parts(own, ["layer"])["layer"].tolist() == [7]
