"""SQL that somebody else wrote: a condition of a command line, a hypothesis that came with a study.

Two protections, each of which suffices alone. The text must be one expression over the tables of the study
(``expression``). The connection that answers reads the files of the study, and can neither read another file nor load
an extension nor change a setting, whatever it is asked (``confined``).
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

#: Functions that read the state of the process. duckdb itself marks those whose answer changes from call to call.
_OF_THE_PROCESS = frozenset({"current_setting", "getenv", "getvariable"})


def confined(folders: Iterable[Path]) -> duckdb.DuckDBPyConnection:
    """Return a connection to an empty database in memory that reads no files but those below these folders."""
    import duckdb

    # A query that names no table of the study must fail, not find a Python variable of that name.
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    # duckdb compares names: the name of a folder as it stands in a query, and the name that this means.
    allowed = {literal(name): None for folder in folders for name in (utf8_path(folder), without_patterns(folder))}
    for setting in (
        "parquet_metadata_cache = true",
        "enable_progress_bar = false",  # it would be printed among the paths of figures
        f"allowed_directories = [{', '.join(allowed)}]",
        "enable_external_access = false",
        "lock_configuration = true",  # the last: nothing can be set after it
    ):
        connection.execute(f"set {setting}")
    return connection


def expression(text: str, tables: Iterable[str], connection: duckdb.DuckDBPyConnection) -> str:
    """Return the text in parentheses if it is one SQL expression that reads nothing but its row and these tables.

    In parentheses it means the same wherever an expression may stand in a query.

    Args:
        text: the expression.
        tables: names of the tables that it may read.
        connection: any connection, which parses the text and does not run it.

    Raises:
        RecordError: the text is no expression, or names another table, a file, or a function that reads or changes
            anything else.
    """
    text = plain_text(text)  # records are read so, too
    # A text that closes the bracket of the first query or the CASE of the second early is no SQL in the other one.
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
    """Parse a SELECT of one expression with duckdb's own parser, and return the tree."""
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
    """Yield every object of a tree."""
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left += value.values()
        elif isinstance(value, list):
            left += value


def _given(node: dict[str, Any]) -> Iterator[str]:
    """Yield the names that a query gives to its own queries, ``with NAME as (...)``; names of files are left out."""
    entries = node.get("cte_map", {}).get("map", [])
    yield from (name for entry in entries if (name := str(entry.get("key"))).isidentifier())


def _refused(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the functions that an expression may not call."""
    query = "select distinct function_name from duckdb_functions() where has_side_effects and function_name <> 'error'"
    return _OF_THE_PROCESS | {name for (name,) in connection.cursor().execute(query).fetchall()}
