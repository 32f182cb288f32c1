"""The tables of probes that join lrd: which names and types records can take, and whether a table has what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from lrd.custom.protocol import ProtocolError, called, type_of
from lrd.custom.sql_words import SQL_WORDS
from lrd.gradients.schema import PART_COLUMNS
from lrd.probes import PROBES, Probe

TYPES = ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN")
#: Names of tables that no probe fills, and of files of conf/probe that are no probes.
OTHER_TABLES = frozenset(
    {"runs", "metrics", "gradient_norms", "custom", "none"}
    | {"generalisation", "generalisation_flow", "generalisation_fit"}
)
#: Columns that records and their reader add to every table.
OTHER_COLUMNS = frozenset({"update", "run_id", "filename"})


def check_tables(kind: Any) -> None:
    """Hold a probe's class to the names and types of its tables and columns.

    Raises:
        ProtocolError: a name that the records cannot take, or a type that is no SQL type of theirs.
    """
    columns = getattr(kind, "columns", None)
    if not isinstance(columns, Mapping) or not columns:
        raise ProtocolError(3, "`columns` must give the type of each column, such as {'t': 'BIGINT', 'norm': 'DOUBLE'}")
    taken = {table for probe in PROBES.values() for table in probe.tables()} | OTHER_TABLES | set(PROBES)
    if not kind.of_network and (added := [name for name in columns if str(name).lower() in PART_COLUMNS]):
        raise ProtocolError(3, f"a column cannot be called {added[0]}, which lrd adds, unless `of_network = True`")
    tables = called(2, "tables", kind.tables)
    if not isinstance(tables, Mapping):
        raise ProtocolError(2, f"tables must give a dict of columns by table, got {type_of(tables)}")
    for table, declared in tables.items():
        if not isinstance(declared, Mapping):
            raise ProtocolError(3, f"tables must give the columns of {table} as a dict, got {type_of(declared)}")
        if not isinstance(table, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", table):
            raise ProtocolError(2, f"`name` must be small letters, digits and _, a letter first, got {table!r}")
        if table in taken:
            raise ProtocolError(2, f"`name` must be none of lrd's tables, got {table!r}")
        if table in SQL_WORDS:
            raise ProtocolError(2, f"`name` must be no word of SQL, got {table!r}")
        for column, kind_of_column in declared.items():
            _check_column(column, kind_of_column)
        if len({column.lower() for column in declared}) < len(declared):
            raise ProtocolError(3, f"names of columns must differ by more than case, got {', '.join(declared)}")


def _check_column(name: Any, kind: Any) -> None:
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier() or name.lower() in SQL_WORDS:
        raise ProtocolError(
            3, f"a column's name must be made of letters, digits and _, and be no word of SQL, got {name!r}"
        )
    if name.lower() in OTHER_COLUMNS:
        raise ProtocolError(3, f"a column cannot be called {name}, which records have of their own")
    if kind not in TYPES:
        raise ProtocolError(3, f"the type of {name} must be one of {', '.join(TYPES)}, got {kind!r}")


def check_tables_of(probe: Probe, tables: Any) -> None:
    """Hold the tables of one run to those that the probe declares."""
    expected = type(probe).tables()
    if not isinstance(tables, Mapping) or set(tables) != set(expected):
        raise ProtocolError(4, f"tables_of must give the tables {', '.join(expected)} of each run")
    for name, declared in expected.items():
        check_table(tables[name], declared)


def check_table(table: Mapping[str, Any], declared: Mapping[str, str]) -> None:
    """Hold one table to the columns that it should have and to their types."""
    missing, unknown = [c for c in declared if c not in table], [c for c in table if c not in declared]
    if missing or unknown:
        parts = [
            f"{word} {', '.join(names)}" for word, names in (("lacks", missing), ("has undeclared", unknown)) if names
        ]
        raise ProtocolError(5, f"a table {' and '.join(parts)}")
    for column, values in table.items():
        if not isinstance(values, np.ndarray) or values.ndim != 1:
            axes = f"the shape {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
            raise ProtocolError(5, f"the column {column} must have one axis, got {axes}")
    if len({len(values) for values in table.values()}) > 1:
        lengths = ", ".join(f"{column} {len(values)}" for column, values in table.items())
        raise ProtocolError(5, f"columns must be equally long, got {lengths}")
    for column, kind in declared.items():
        _check_values(column, table[column], kind)


def _check_values(column: str, values: np.ndarray, kind: str) -> None:
    if isinstance(values, np.ma.MaskedArray):
        raise ProtocolError(6, f"{column} must hold no masked values: write nan")
    allowed = {"BIGINT": "iu", "DOUBLE": "fiu", "BOOLEAN": "b"}
    is_text = values.dtype == object and all(isinstance(value, str) for value in values)
    if not len(values) or (is_text if kind == "VARCHAR" else values.dtype.kind in allowed[kind]):
        return
    got = (
        "texts"
        if is_text or values.dtype.kind in "UT"
        else "various objects"
        if values.dtype == object
        else str(values.dtype)
    )
    raise ProtocolError(6, f"{column} must hold {kind}, got {got}")
