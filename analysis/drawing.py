"""What is being drawn now, and how it was asked for: what the helpers of a script know while its ``draw`` runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from settings import PAPER, Style


@dataclass(frozen=True)
class Asked:
    """How figures are asked for; ``command`` without what does not change a figure, for its manifest."""

    style: Style = PAPER
    width: float | None = None  # inches; None: one column for one panel a row, else two
    command: tuple[str, ...] = ()


class Watched:
    """A study that keeps what it was asked."""

    def __init__(self, study: Any) -> None:
        self.study = study
        self.queries: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.study, name)

    def columns(self, query: str) -> Any:
        """As ``Study.columns``."""
        self.queries.append(query)
        return self.study.columns(query)

    def sql(self, query: str) -> Any:
        """As ``Study.sql``."""
        self.queries.append(query)
        return self.study.sql(query)


@dataclass
class Drawing:
    """The figures of one script: how they were asked for, of which study, and the table of runs that they show.

    A figure shows the runs that agree with a row of its CSV in ``keys``.
    """

    asked: Asked = field(default_factory=Asked)
    study: Watched | None = None
    runs: dict[str, Any] | None = None
    keys: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)  # what the records say, of names that are drawn otherwise

    def says(self, names: Iterable[tuple[str, str]]) -> None:
        """Remember what the records say for names as they are drawn."""
        self.said |= {drawn: said for drawn, said in names if drawn != said}


_current: ContextVar[Drawing | None] = ContextVar("drawing", default=None)


def current() -> Drawing:
    """What is being drawn; outside of any ``draw``, a drawing with all defaults and of no study."""
    return _current.get() or Drawing()


@contextmanager
def drawing(asked: Asked | None, study: Any) -> Iterator[Watched]:
    """Draw figures of a study, as asked, inside; gives the study to draw them from."""
    watched = Watched(study)
    token = _current.set(Drawing(asked or Asked(), watched))
    try:
        yield watched
    finally:
        _current.reset(token)
