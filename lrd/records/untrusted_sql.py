"""The only door for SQL that somebody else wrote: a condition of a command line, a statement that came with a study.

Two walls, each of which holds alone. What is asked must be one expression over the tables of the study
(``expression``); and the connection that answers reads the files of the study, and can neither reach another file nor
load an extension nor change a setting (``confined``), whatever it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.one_line import one_line
from lrd.options import nearest
from lrd.records.files import RecordError, plain_text, utf8_path
from lrd.records.tables import literal, without_patterns

if TYPE_CHECKING:
    import duckdb

#: What answers otherwise from one time to the next is marked in duckdb; these look at the process instead.
_OF_THE_PROCESS = frozenset({"current_setting", "getenv", "getvariable"})


def confined(folders: Iterable[Path]) -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory that reaches no file but those below these folders."""
    import duckdb

    # A query that names no table of ours must fail, not find a Python variable of that name.
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    # duckdb compares names: that which a query holds for a folder, and that which it stands for.
    allowed = {literal(name): None for folder in folders for name in (utf8_path(folder), without_patterns(folder))}
    for setting in (
        "parquet_metadata_cache = true",
        "enable_progress_bar = false",  # it would stand among the paths of figures
        f"allowed_directories = [{', '.join(allowed)}]",
        "enable_external_access = false",
        "lock_configuration = true",  # the last: nothing can be set after it
    ):
        connection.execute(f"set {setting}")
    return connection


def expression(text: str, tables: Iterable[str], connection: duckdb.DuckDBPyConnection) -> str:
    """Return the text in parentheses if it is one SQL expression that reads nothing but its row and these tables.

    In parentheses it means the same wherever an expression may stand. ``connection``: any, to parse it; it is not run.

    Raises:
        RecordError: it is none, or names another table, a file, or a function that reads or changes anything else.
    """
    text = plain_text(text)  # as records are read, too
    # No text leaves both brackets and is read as SQL, but an expression that leaves neither.
    _parsed(f"({text}\n)", connection)
    known, refused = {name.lower() for name in tables}, _refused(connection)
    nodes = list(_nodes(_parsed(f"case when {text}\n then 1 end", connection)))
    given = {name.lower() for node in nodes for name in _given(node)}
    for node in nodes:
        if node.get("type") == "TABLE_FUNCTION":
            name = node.get("function", {}).get("function_name", "a function")
            raise RecordError(f"{name}() is no table of the study; it has {', '.join(sorted(known))}")
        if node.get("type") == "BASE_TABLE":
            name = ".".join(filter(None, (node.get(part) for part in ("catalog_name", "schema_name", "table_name"))))
            if name.lower() not in known | given:
                raise RecordError(f"there is no table {name!r}{nearest(name, sorted(known))}")
        if node.get("class") == "FUNCTION" and (name := str(node.get("function_name")).lower()) in refused:
            raise RecordError(f"{name}() asks for more than the records hold; leave it out")
    return f"({text}\n)"  # the line ends a comment


def _parsed(text: str, connection: duckdb.DuckDBPyConnection) -> Any:
    """The tree of a SELECT of one expression, as duckdb's own parser sees it."""
    import duckdb

    try:
        ((answer,),) = connection.cursor().execute("select json_serialize_sql(?)", [f"select {text}"]).fetchall()
        tree = json.loads(answer)
    except (duckdb.Error, ValueError, RecursionError) as error:
        raise RecordError(f"it is no SQL that could be read: {one_line(error)}") from error
    if tree["error"]:
        message = one_line(tree["error_message"])
        raise RecordError(f"Parser Error: {message}; write one SQL expression, such as gap >= 50")
    return tree["statements"]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a tree."""
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left += value.values()
        elif isinstance(value, list):
            left += value


def _given(node: dict[str, Any]) -> Iterator[str]:
    """Yield the names that a query gives to queries of its own, ``with NAME as (...)``, but for those of files."""
    entries = node.get("cte_map", {}).get("map", [])
    yield from (name for entry in entries if (name := str(entry.get("key"))).isidentifier())


def _refused(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Functions that an expression may not call."""
    query = "select distinct function_name from duckdb_functions() where has_side_effects and function_name <> 'error'"
    return _OF_THE_PROCESS | {name for (name,) in connection.cursor().execute(query).fetchall()}
