"""The records of a study as tables that SQL queries can read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.one_line import one_line
from lrd.records.checksums import is_whole, kept_sums, problem
from lrd.records.column_types import as_declared, odd_columns, shown_for, unshared_columns
from lrd.records.display_names import with_display_names
from lrd.records.files import RecordError, plain_text
from lrd.records.run_rows import columns_of
from lrd.records.tables import parquet, register_columns, view
from lrd.records.untrusted_sql import confined, expression

if TYPE_CHECKING:
    import duckdb
    import numpy as np

_ALWAYS = ("metrics", "gradient_flow", "gradient_fit")  # tables that are there, if empty


class Study:
    """The tables of one study in a duckdb connection of their own. ``lrd.records.open_study`` makes one.

    The table ``runs`` is in memory. The files of every other table are read when a query asks for it.
    """

    def __init__(
        self,
        path: Path,
        rows: Sequence[dict[str, Any]],
        problems: list[str],
        connection: duckdb.DuckDBPyConnection | None = None,
        among: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        self.path = path
        #: Name of the study's folder; names of all folders where studies are combined (``combined_study``).
        self.names: tuple[str, ...] = (plain_text(Path(os.path.abspath(path)).name),)
        #: SQL condition that the runs meet; None where all runs of the study are here.
        self.condition: str | None = None
        #: One line for each folder or file that is left out, with the reason.
        self.problems = problems
        self._rows = rows
        self._among = rows if among is None else among  # rows whose names are compared
        self._run_ids = [row["run_id"] for row in rows]
        self._ready: set[str] = set()
        self._files = {name: f"{name}.parquet" for name in (*_ALWAYS, *_further_tables(path, self._run_ids))}
        self._paths: dict[str, list[Path]] = {}
        self._connection = connection or confined([path])
        columns, types = columns_of(with_display_names(rows, self._among))
        select = register_columns(self._connection, "rows", columns, types)
        self._connection.execute(f"create table runs as {select}")
        self._connection.unregister("rows")

    def check(self) -> list[str]:
        """Check the files of every table, whether a query asks for it or not, and return ``problems``."""
        self._prepare(self.tables)
        return self.problems

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The duckdb connection with all tables. It reads no files but those of the study."""
        self.check()
        return self._connection

    @property
    def tables(self) -> list[str]:
        """Names of the tables beside ``runs``."""
        return list(self._files)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the relation of an SQL query over ``runs`` and ``tables``.

        The query reads no files but those of the study; other data can be given to it with
        ``study.connection.register("mine", frame)``. Conditions that somebody else wrote go through ``where``.

        Args:
            query: any SQL, such as ``select cell, avg(solved) from runs group by all``.
        """
        self._prepare([name for name in self.tables if re.search(rf"\b{name}\b", query, re.IGNORECASE)])
        return self._connection.sql(query)

    def checked(self, text: str, further: Iterable[str] = ()) -> str:
        """Return an SQL expression that somebody else wrote, in parentheses, for use in a query.

        Args:
            text: an expression over the tables of the study.
            further: names of more tables that it may read.

        Raises:
            RecordError: the text is anything else (``lrd.records.untrusted_sql``).
        """
        return expression(text, {"runs", *self.tables, *further}, self._connection)

    def where(self, condition: str) -> list[str]:
        """Return the ids of the runs that meet an SQL condition.

        Args:
            condition: an SQL expression over the columns of ``runs``, such as ``cell = 'lstm'``.

        Raises:
            RecordError: the text is no such condition.
        """
        import duckdb

        try:
            found = self.sql(f"select run_id from runs where {self.checked(condition)} order by run_id").fetchall()
        except (duckdb.Error, RecordError) as error:
            raise RecordError(f"cannot use the condition {condition!r}: {one_line(error)}") from error
        return [run_id for (run_id,) in found]

    def filtered(self, condition: str) -> Study:
        """Return the study with only the runs that meet an SQL condition.

        Args:
            condition: an SQL expression over the columns of ``runs``, such as ``cell = 'lstm'``.

        Raises:
            RecordError: the text is no such condition, or no run meets it.
        """
        chosen = set(self.where(condition))
        if not chosen:
            raise RecordError(f"no run of {self.path} meets the condition {condition!r}")
        rows = [row for row in self._rows if row["run_id"] in chosen]
        found = Study(self.path, rows, self.problems, among=self._among)
        found.condition = condition
        return found

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of the study by its name; of each study where several are combined."""
        return {self.names[0]: self.path}

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run."""
        return self.path / run_id

    def within(
        self, connection: duckdb.DuckDBPyConnection, problems: list[str], among: Sequence[dict[str, Any]]
    ) -> Study:
        """Return this study in another connection, as a part of combined studies.

        Args:
            connection: where its tables are made.
            problems: the list that its problems are added to.
            among: rows of all the studies, among which names of cells and tasks are compared.
        """
        return Study(self.path, self._rows, problems, connection, among)

    def columns(self, query: str) -> dict[str, np.ndarray]:
        """Return the columns of a query as arrays by name.

        NULL becomes nan among numbers, so that integers become floats, and None in text. Where a file turns out to be
        damaged, it is left out and named in ``problems``.
        """
        import duckdb
        import numpy as np

        arrays: dict[str, np.ndarray] = {}
        try:
            found = self.sql(query).fetchnumpy()
        except duckdb.Error:
            if not self._repair():
                raise
            found = self.sql(query).fetchnumpy()
        for name, array in found.items():
            values = np.ma.getdata(array)
            if np.ma.is_masked(array):
                number = values.dtype.kind in "biuf"
                values = values.astype(np.float64 if number else object)
                values[np.ma.getmaskarray(array)] = np.nan if number else None
            arrays[name] = values
        return arrays

    @property
    def runs(self) -> duckdb.DuckDBPyRelation:
        """The table with one row a run."""
        return self.sql("from runs")

    @property
    def metrics(self) -> duckdb.DuckDBPyRelation:
        """The table with one row a run and logged update."""
        return self.sql("from metrics")

    @property
    def gradient_flow(self) -> duckdb.DuckDBPyRelation:
        """The table with one row a run, logged update, variable, part, answer and time step."""
        return self.sql("from gradient_flow")

    @property
    def gradient_fit(self) -> duckdb.DuckDBPyRelation:
        """The table with one row a run, logged update and variable."""
        return self.sql("from gradient_fit")

    def _prepare(self, names: Sequence[str]) -> None:
        for name in set(names) - self._ready:
            self._make_view(name)
            self._ready.add(name)

    def _make_view(self, name: str) -> None:
        import duckdb

        file = self._files[name]
        sums = {self.path / run_id / file: kept_sums(self.path / run_id).get(file) for run_id in self._run_ids}
        paths = [path for path, expected in sums.items() if expected is not None or path.exists()]
        paths = self._without(paths, lambda path: is_whole(path, sums[path]))
        try:
            types = self._show(name, paths)
            good = as_declared(name, types)
        except duckdb.Error:  # some footer is damaged, or columns do not go together
            paths = self._without(paths, self._reads)  # each file alone, which takes longer
            good = False
        if not good and (odd := odd_columns(self._connection, name, paths)):
            self.problems += [problem(path, odd[path]) for path in sorted(odd)]
            paths = [path for path in paths if path not in odd]
        if not good:
            types = self._show(name, paths)
            self.problems += filter(None, [unshared_columns(self._connection, name, paths)])
        self._paths[name] = paths

    def _show(self, name: str, paths: Sequence[Path]) -> dict[str, str]:
        """Make the view of a table over these files, and return the types of the columns that the files have."""
        self._connection.execute(view(name, paths, {}))
        made = self._connection.sql(f"select * from {name} limit 0")
        types = {column: str(kind) for column, kind in zip(made.columns, made.types, strict=True)}
        if columns := shown_for(name, types):
            self._connection.execute(view(name, paths, columns, columns.keys() - types.keys()))
        return types

    def _without(self, paths: Sequence[Path], good: Callable[[Path], bool]) -> list[Path]:
        kept = [path for path in paths if good(path)]
        bad = sorted(set(paths) - set(kept))
        self.problems += [problem(path) for path in bad]
        return kept

    def _repair(self) -> bool:
        """Leave out files whose damage shows only when they are read, and return whether there were any."""
        before = len(self.problems)
        for name in self._ready:
            self._paths[name] = self._without(self._paths[name], self._reads)
            self._show(name, self._paths[name])
        return len(self.problems) > before

    def _reads(self, path: Path) -> bool:
        import duckdb

        try:
            self._connection.execute(f"select * from {parquet([path])}").fetchnumpy()
            return True
        except duckdb.Error:
            return False


def _further_tables(path: Path, run_ids: Sequence[str]) -> list[str]:
    """Return the names of the tables of further probes that runs have files of."""
    names = {file.stem for run_id in run_ids for file in (path / run_id).glob("*.parquet")}
    return sorted(name for name in names.difference(_ALWAYS) if name.isascii() and name.isidentifier())
