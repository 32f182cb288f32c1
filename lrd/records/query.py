"""SQL queries of which every error is one line, for queries that stand in hypotheses of a study."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lrd.one_line import one_line
from lrd.records.files import RecordError

if TYPE_CHECKING:
    import numpy as np

    from lrd.records.study import Study


class NoColumnError(RecordError):
    """A query names a column that these records do not have, which is kept as ``column``."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def query_columns(study: Study, query: str) -> dict[str, np.ndarray]:
    """Answer an SQL query over the tables of a study, as arrays by column; NULL is nan among numbers, None in text.

    Raises:
        NoColumnError: the query names a column that is not there.
        RecordError: the query is no SQL, or cannot be answered.
    """
    import duckdb

    try:
        study.sql(query)  # an error in the query shows here, before files are suspected
        return study.columns(query)
    except duckdb.Error as error:
        said = one_line(str(error).split("LINE 1:")[0])
        if match := re.search(r'(?:Referenced column|column named) "([^"]+)"', said):
            candidates = re.findall(r'"([^"]+)"', said.partition("Candidate bindings:")[2])
            hint = f"; did you mean {candidates[0]!r}?" if candidates else ""
            raise NoColumnError(match[1], f"there is no column {match[1]!r}{hint}") from error
        raise RecordError(said) from error


def missing_table(error: Exception) -> str:
    """Return the name of the table that a query asked for in vain; "" where the error is another one."""
    import duckdb

    found = re.search(r"Table with name (.+?) does not exist", str(error))
    return found[1] if found and isinstance(error, duckdb.CatalogException) else ""
