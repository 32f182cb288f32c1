"""What is being drawn now, and with which options: what helpers know while the ``draw`` of a script runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrd.figures.errors import NothingToDrawError
from lrd.figures.figure_options import FigureOptions
from lrd.options import nearest
from lrd.records.query import missing_table


class QueriedStudy:
    """A study that keeps the queries it was asked, from which a manifest knows the tables that a figure is of."""

    def __init__(self, study: Any) -> None:
        self.study = study
        self.queries: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.study, name)

    def columns(self, query: str) -> Any:
        """Return the result of a query by columns (``Study.columns``)."""
        self.queries.append(query)
        with _no_table(self.study):
            return self.study.columns(query)

    def sql(self, query: str) -> Any:
        """Return the result of a query (``Study.sql``)."""
        self.queries.append(query)
        with _no_table(self.study):
            return self.study.sql(query)


@contextmanager
def _no_table(study: Any) -> Iterator[None]:
    """Say which tables a study has where a query inside asks for one that it lacks."""
    try:
        yield
    except Exception as error:
        if not (name := missing_table(error)):
            raise
        tables = ["runs", *study.tables]
        raise NothingToDrawError(
            f"the study has no table {name}{nearest(name, tables)}; it has {', '.join(tables)}; "
            "lrd probe measures what a probe was not asked for in training"
        ) from error


@dataclass
class Drawing:
    """The figures of one script: with which options, of which study, and the table of runs that they show.

    A figure shows the runs that agree with a row of its CSV in the columns ``keys``.
    """

    options: FigureOptions = field(default_factory=FigureOptions)
    study: QueriedStudy | None = None
    script: Path | None = None  # of a user's own; None of those that come with lrd
    runs: dict[str, Any] | None = None
    keys: tuple[str, ...] = ()
    recorded: dict[str, str] = field(default_factory=dict)  # what the records say, of names that are drawn otherwise

    def remember_names(self, names: Iterable[tuple[str, str]]) -> None:
        """Remember what the records say, given pairs of a name as it is drawn and as it is recorded."""
        self.recorded |= {drawn: recorded for drawn, recorded in names if drawn != recorded}


_current: ContextVar[Drawing | None] = ContextVar("drawing", default=None)


def current_drawing() -> Drawing:
    """Return what is being drawn; outside of any ``draw``, a drawing with default options and of no study."""
    return _current.get() or Drawing()


@contextmanager
def drawing(options: FigureOptions | None, study: Any, script: Path | None = None) -> Iterator[QueriedStudy]:
    """Draw figures of a study inside.

    Args:
        options: The style and width to draw with; None for those of a paper.
        study: The study that is drawn.
        script: The file that draws, if it is a user's own.

    Yields:
        The study to draw them from.
    """
    queried = QueriedStudy(study)
    token = _current.set(Drawing(options or FigureOptions(), queried, script))
    try:
        yield queried
    finally:
        _current.reset(token)
