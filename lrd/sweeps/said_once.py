"""What lrd logs while a sweep trains: workers hand it to the command that started them, which prints each line once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from typing import Any


class ToTheSweep(QueueHandler):
    """Hands records of a worker over, as text that can be sent."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        """Make a handler.

        Args:
            send: takes a record to the command that started the worker.
        """
        super().__init__(None)  # type: ignore[arg-type]
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record."""
        self._send(record)


def take(record: logging.LogRecord) -> None:
    """Log what a worker has logged, as if it had been logged here."""
    logging.getLogger(record.name).handle(record)


@contextmanager
def said_once() -> Iterator[None]:
    """Print each line of the log once, however many workers say it; a program that handles its log gets all of them."""
    last, said = logging.lastResort, set[str]()

    def is_new(record: logging.LogRecord) -> bool:
        new = (line := record.getMessage()) not in said
        said.add(line)
        return new

    if last is None:
        yield
        return
    last.addFilter(is_new)
    try:
        yield
    finally:
        last.removeFilter(is_new)
