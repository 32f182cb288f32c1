"""Small parquet tables, written and read by duckdb.

Columns are BIGINT, DOUBLE, BOOLEAN or VARCHAR. nan and the infinities are values and are kept. NULL means "not
measured"; SQL's averages leave it out.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.one_line import one_line
from lrd.records.files import WAYS_OUT, RecordError, storage_error, utf8_path, write_atomic
from lrd.records.schema import BOOLEAN, INTEGER, REAL, TEXT

if TYPE_CHECKING:
    import duckdb
    import numpy as np

#: Columns that tables did not always have, and what their absence means: a network of one part.
SINCE: dict[str, int | str] = {"layer": 1, "direction": "forward"}
_lock = threading.Lock()
_connections: dict[int, duckdb.DuckDBPyConnection] = {}


def _connection() -> duckdb.DuckDBPyConnection:
    """Return this process's connection, in memory and with one thread; a forked child makes its own."""
    import duckdb

    if os.getpid() not in _connections:
        _connections[os.getpid()] = duckdb.connect(":memory:", config={"threads": 1})
    return _connections[os.getpid()]


def write_table(
    path: Path, columns: Mapping[str, np.ndarray | Sequence[Any]], types: Mapping[str, str] | None = None
) -> None:
    """Write columns of equal length as a parquet file (zstd).

    Masked entries of a masked array, and None in a list or in a column of text, become NULL. A table may be empty.

    Args:
        path: the file, which is replaced as a whole.
        columns: the values by column.
        types: SQL types by column; a column that is not named has the type of its values.

    Raises:
        ValueError: there are no columns, their lengths differ, their names differ in case alone, or a table cannot hold
            a value.
        RecordError: the system refuses.
    """
    import duckdb

    def write(temporary: Path) -> None:
        try:
            with _lock:
                connection = _connection()
                select = register_columns(connection, "lrd_table", columns, types or {})
                try:
                    to = literal(utf8_path(temporary))
                    connection.execute(f"copy ({select}) to {to} (format parquet, compression zstd)")
                finally:
                    connection.unregister("lrd_table")
        except duckdb.IOException as error:
            code = next((code for code in WAYS_OUT if os.strerror(code) in str(error)), None)
            raise storage_error(path, code, error) from error

    write_atomic(path, write)


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Read a parquet file as columns; a column with NULLs is a masked array.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: the file is damaged.
    """
    import duckdb

    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with _lock:
            columns: dict[str, np.ndarray] = _connection().execute(f"from {parquet([path])}").fetchnumpy()
            return columns
    except duckdb.Error as error:
        raise RecordError(f"cannot read {path}: it is damaged ({one_line(error)})") from error


def parquet(paths: Sequence[Path], options: str = "") -> str:
    """Return SQL that reads exactly these files: no part of a path counts as a pattern or a partition.

    Args:
        paths: the parquet files.
        options: more arguments of duckdb's ``read_parquet``, beginning with a comma.
    """
    names = ", ".join(literal(without_patterns(path)) for path in paths)
    return f"read_parquet([{names}], hive_partitioning=false{options})"


def without_patterns(path: Path) -> str:
    """Escape a path for duckdb, which would take ``*``, ``?`` and ``[`` for patterns."""
    return re.sub(r"([*?\[])", r"[\1]", utf8_path(path))


def view(name: str, paths: Sequence[Path], columns: Mapping[str, str], absent: Collection[str] = ()) -> str:
    """Return SQL that makes a view over the tables of many runs, with the column ``run_id``.

    Args:
        name: name of the view.
        paths: the files, each in its run's folder; without any the view is empty.
        columns: the SQL types of the columns that the view has in any case. Those of ``SINCE`` have their values there
            in the rows of files that lack them.
        absent: those of ``columns`` that no file has; but for those of ``SINCE`` they are NULL.
    """
    if not paths:
        empty = "".join(f", cast(null as {kind}) as {column}" for column, kind in columns.items())
        return f"create or replace view {name} as select cast(null as VARCHAR) as run_id{empty} where false"
    source = parquet(paths, ", union_by_name=true, filename=true")
    run_id = "parse_path(filename)[-2] as run_id"
    instead = {column: literal(SINCE[column]) if column in SINCE else "null" for column in columns}
    added = "".join(f", cast({instead[column]} as {kind}) as {column}" for column, kind in columns.items()
                    if column in absent)  # fmt: skip
    filled = [column for column in columns if column in SINCE and column not in absent]
    replaced = ", ".join(f"coalesce({column}, {instead[column]}) as {column}" for column in filled)
    replace = f" replace ({replaced})" if replaced else ""
    return f"create or replace view {name} as select {run_id}, * exclude (filename){replace}{added} from {source}"


def with_parts(columns: Mapping[str, np.ndarray], wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Return the columns of a table with those of ``SINCE`` that it is too old to have.

    Args:
        columns: the table.
        wanted: the columns that a table of today has; none is added that is not among them.
    """
    import numpy as np

    size = len(next(iter(columns.values()), ()))
    added = {
        name: np.full(size, value, dtype=np.int64 if isinstance(value, int) else object)
        for name, value in SINCE.items()
        if name in wanted and name not in columns
    }
    return {**columns, **added}


def literal(text: object) -> str:
    """Return a text or path as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def register_columns(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, np.ndarray | Sequence[Any]],
    types: Mapping[str, str],
) -> str:
    """Register columns in a connection, and return the SELECT that gives them with their types, NULL and nan apart.

    Args:
        connection: where they are registered.
        name: under which they are registered.
        columns: the values by column.
        types: SQL types by column; a column that is not named has the type of its values.

    Raises:
        ValueError: as for ``write_table``.
    """
    import numpy as np

    if not columns or len({column.lower() for column in columns}) < len(columns):
        raise ValueError(f"a table needs columns whose names differ by more than case, got {list(columns)}")
    arrays: dict[str, np.ndarray] = {}
    terms = []
    for index, (column, values) in enumerate(columns.items()):
        array, kind = _typed(column, values, types.get(column))
        arrays[f"v{index}"] = np.ma.getdata(array)
        # duckdb reads nan in a numpy array as NULL; the bare array has no NULL, so each NULL is a nan
        term = f"coalesce(v{index}, 'nan'::DOUBLE)" if kind == REAL else f"cast(v{index} as {kind})"
        if np.ma.is_masked(array):
            arrays[f"m{index}"] = np.ma.getmaskarray(array)
            term = f"case when m{index} then null else {term} end"
        quoted = column.replace('"', '""')
        terms.append(f'{term} as "{quoted}"')
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = {column: len(arrays[f"v{index}"]) for index, column in enumerate(columns)}
        raise ValueError(f"the columns of a table must be equally long, got {lengths}")
    connection.register(name, arrays)
    return f"select {', '.join(terms)} from {name}"


def _typed(name: str, values: np.ndarray | Sequence[Any], wanted: str | None = None) -> tuple[np.ndarray, str]:
    """Return one column as an array for duckdb, and its SQL type.

    Raises:
        ValueError: a table cannot hold the values, or the wanted type would lose something of them.
    """
    import numpy as np

    array = values if isinstance(values, np.ndarray) else _array(values)
    if array.ndim != 1:
        raise ValueError(f"column {name!r} must have one axis, got shape {array.shape}")
    empty = array.size == 0 or bool(np.ma.getmaskarray(array).all())
    if array.dtype.kind in "OUT":
        array = array.astype(object)
        kind = TEXT if all(value is None or isinstance(value, str) for value in np.ma.getdata(array)) else None
    else:
        kind = {"b": BOOLEAN, "i": INTEGER, "u": INTEGER, "f": REAL}.get(array.dtype.kind)
    if kind is None:
        raise ValueError(f"column {name!r} must hold integers, floats, booleans or text, got {array[:3]}")
    if array.dtype == np.uint64 and not empty and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"column {name!r} holds integers beyond 64 bits with sign, up to {array.max()}")
    if wanted is not None and wanted != kind:
        if not (empty or (wanted == REAL and kind == INTEGER)):
            raise ValueError(f"column {name!r} must be {wanted}, got {kind}")
        kind = wanted
        if empty:  # what stands behind the masks is of another type
            array = np.ma.array(np.zeros(array.shape, dtype=_DTYPES[wanted]), mask=True)
    return array.astype(_DTYPES[kind]), kind


_DTYPES = {BOOLEAN: "bool", INTEGER: "int64", REAL: "float64", TEXT: "object"}


def _array(values: Sequence[Any]) -> np.ndarray:
    """Return a list as an array; None becomes a masked entry, or stays None among text."""
    import numpy as np

    if any(isinstance(value, str) for value in values):
        array = np.empty(len(values), dtype=object)  # not a numpy text array, which drops trailing "\0"
        array[:] = values
        return array
    present = [value is not None for value in values]
    if all(present):
        return np.array(values)
    given = np.array([value for value in values if value is not None])
    filled = np.zeros(len(values), dtype=given.dtype)
    filled[present] = given
    return np.ma.array(filled, mask=np.logical_not(present))
