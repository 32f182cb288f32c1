"""Small parquet tables, written and read by duckdb.

Columns are BIGINT, DOUBLE, BOOLEAN or VARCHAR. nan and the infinities are values and stay what they are; NULL is "not
measured", which SQL's averages leave out.
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

_lock = threading.Lock()
_connections: dict[int, duckdb.DuckDBPyConnection] = {}


def _connection() -> duckdb.DuckDBPyConnection:
    """The connection of this process (a forked child makes its own): in memory, one thread, enough for a writer."""
    import duckdb

    if os.getpid() not in _connections:
        _connections[os.getpid()] = duckdb.connect(":memory:", config={"threads": 1})
    return _connections[os.getpid()]


def write_table(
    path: Path, columns: Mapping[str, np.ndarray | Sequence[Any]], types: Mapping[str, str] | None = None
) -> None:
    """Write columns of equal length as parquet (zstd), each of the SQL type in ``types`` or that its values ask for.

    NULL are the masked entries of a masked array, and None in a list or in a column of text. Empty tables are fine.

    Raises:
        ValueError: no columns, unequal lengths, names that differ in case alone, values without a place in a table.
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
    """Read a parquet table back as columns; a column with NULLs comes as a masked array.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: it is damaged.
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
    """SQL that reads exactly these files: what duckdb takes for patterns or partitions in a path means itself."""
    names = ", ".join(literal(without_patterns(path)) for path in paths)
    return f"read_parquet([{names}], hive_partitioning=false{options})"


def without_patterns(path: Path) -> str:
    """A path so written that duckdb takes it for itself, not for a pattern of several."""
    return re.sub(r"([*?\[])", r"[\1]", utf8_path(path))


def view(name: str, paths: Sequence[Path], columns: Mapping[str, str], absent: Collection[str] = ()) -> str:
    """SQL for a view of the tables of many runs, with ``run_id``; empty, with ``columns``, where there are none.

    ``absent``: which of the columns no file has; there they are NULL.
    """
    if not paths:
        empty = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns.items())
        return f"create or replace view {name} as select cast(null as VARCHAR) as run_id, {empty} where false"
    source = parquet(paths, ", union_by_name=true, filename=true")
    run_id = "parse_path(filename)[-2] as run_id"
    nulls = "".join(f", cast(null as {kind}) as {column}" for column, kind in columns.items() if column in absent)
    return f"create or replace view {name} as select {run_id}, * exclude (filename){nulls} from {source}"


def literal(text: object) -> str:
    """A text or path as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def register_columns(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, np.ndarray | Sequence[Any]],
    types: Mapping[str, str],
) -> str:
    """Register columns under ``name`` and give the SELECT that yields them typed, with nan and NULL told apart."""
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
    """One column as an array for duckdb, and its SQL type; ValueError where the wanted type would lose something."""
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
    """A list as an array; None becomes masked, or stays None among text."""
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
