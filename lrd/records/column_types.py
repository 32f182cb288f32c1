"""Types of the columns in parquet files, compared with those that are declared or that the other files have.

One file with another type would turn a column of numbers into text for all runs of a study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrd.records import schema
from lrd.records.files import plain_text, utf8_path
from lrd.records.schema.column_kinds import types_of
from lrd.records.schema.probe_tables import PROBE_TABLES
from lrd.records.schema.tables import PART
from lrd.records.tables import SINCE, literal, without_patterns
from lrd.records.type_checks import column_fits

if TYPE_CHECKING:
    import duckdb

#: Tables of lrd, of which columns are known; others are those of probes that are not lrd's.
_OWN = schema.TABLES.keys() | PROBE_TABLES.keys()
PART_COLUMNS = types_of(PART)
_RESERVED = ("run_id", "filename")  # the reader adds these
_TYPES = {"INT64": schema.INTEGER, "INT32": schema.INTEGER, "DOUBLE": schema.REAL, "FLOAT": schema.REAL}
_TYPES |= {"BOOLEAN": schema.BOOLEAN, "BYTE_ARRAY": schema.TEXT}
_PLAIN = (None, "INT_64", "INT_32", "UTF8")  # annotations of plain numbers and text; others mean a date, a decimal, ...


def declared_for(name: str) -> dict[str, str]:
    """Return the types of the columns that a table is known to have; {} for a table of a further probe."""
    return schema.TABLES.get(name, ({}, None))[0]


def shown_for(name: str, types: Mapping[str, str]) -> dict[str, str]:
    """Return the types of the columns that a table shows in any case, whatever its files have.

    They are the declared ones, and those that say of which part of a network a row is: of lrd's probes that measure
    parts, and of other probes where any of their files has them.

    Args:
        name: name of the table.
        types: SQL type of each column of its files.
    """
    known = PROBE_TABLES[name][1] if name in PROBE_TABLES else types
    parts = SINCE.keys() if known.keys() >= SINCE.keys() else ()
    return declared_for(name) | {column: PART_COLUMNS[column] for column in parts}


def as_declared(name: str, types: Mapping[str, str]) -> bool | None:
    """Return whether the columns of a table are as declared; None where nothing is declared for it.

    Args:
        name: name of the table.
        types: SQL type of each of its columns, over all files.
    """
    if name not in schema.TABLES:
        return None
    declared, others = schema.TABLES[name]
    expected = {column: declared.get(column, others) for column in types if column != "run_id"}
    return all(kind is None or column_fits(types[column], kind) for column, kind in expected.items())


def odd_columns(connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path]) -> dict[Path, str]:
    """Return the files of a table whose columns do not fit, each with what is wrong. Reads their footers alone.

    A column must have its declared type; where none is declared, the type that it has in most files.

    Args:
        connection: reads the files.
        name: name of the table.
        paths: its files.
    """
    files = {utf8_path(path): path for path in paths}
    names = ", ".join(literal(without_patterns(path)) for path in paths)
    query = f"select file_name, name, type, converted_type, num_children from parquet_schema([{names}])"
    found: dict[str, list[tuple[Path, str]]] = {}
    groups: Counter[Path] = Counter()
    for file, column, kind, converted, children in connection.execute(query).fetchall() if paths else []:
        if children:  # the table itself is one, and nothing else should be
            groups[files[file]] += 1
        else:
            plain = _TYPES.get(kind, str(kind)) if converted in _PLAIN else str(converted)
            found.setdefault(column, []).append((files[file], plain))
    odd = {path: "a column of it is nested" for path, count in groups.items() if count > 1}
    declared, others = declared_for(name), schema.TABLES[name][1] if name in schema.TABLES else None
    for column, kinds in found.items():
        usual = Counter(kind for _, kind in kinds).most_common(1)[0][0]
        expected = declared.get(column, others) or (usual if usual in _TYPES.values() else schema.REAL)
        for path, kind in kinds:
            if column in _RESERVED:
                odd.setdefault(path, f"no column may be called {column}")
            elif not column_fits(kind, expected):
                by_whom = "" if name in _OWN else ", as in most runs: by another probe of this name?"
                odd.setdefault(path, f"its column {column} is {kind}, not {expected}{by_whom}")
    return odd


def unshared_columns(connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path]) -> str:
    """Say in one line which columns only some files of a table have; "" where all have the same, or it is one of lrd's.

    Args:
        connection: where to ask.
        name: of the table.
        paths: its files, one of each run.
    """
    if name in _OWN or len(paths) < 2:
        return ""
    names = ", ".join(literal(without_patterns(path)) for path in paths)
    query = f"select name, count(*) from parquet_schema([{names}]) where type is not null group by name order by name"
    counts = connection.execute(query).fetchall()
    some = {column: count for column, count in counts if count < len(paths) and column not in SINCE}
    if not some:
        return ""
    which = ", ".join(f"{column} ({count})" for column, count in some.items())
    return plain_text(
        f"{name}: not all of its {len(paths)} runs have the columns {which}, which are NULL in the others: "
        "several probes of this name measured them"
    )
