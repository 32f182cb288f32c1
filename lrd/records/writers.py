"""Writers of records: one writes at once, the other in a thread while training goes on.

Both write in the order in which they were asked, which is what makes a record safe to read at any moment
(``lrd.records.record``). Data that a writer was given must not change any more.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

Work = Callable[[], None]
#: Called when the work is done, by the thread that asks, never by the one that writes; its result is kept.
Then = Callable[[], Any]


@runtime_checkable
class Writer(Protocol):
    """A writer in a ``with`` statement, which ends when all is written. One thread calls all methods."""

    def put(self, work: Work, then: Then | None = None) -> None:
        """Ask for work to be done.

        Args:
            work: writes something.
            then: called after it; ``take_results`` returns its result.

        Raises:
            Exception: the first error of any work that was asked for, not only of this one.
        """
        ...

    def take_results(self) -> list[Any]:
        """Return the results of ``then`` of all work that was done since the last call.

        Raises:
            Exception: the first error of any work.
        """
        ...

    def wait(self) -> None:
        """Wait until all work is done.

        Raises:
            Exception: the first error of any work.
        """
        ...

    @property
    def pending_results(self) -> int:
        """Number of results still to come."""
        ...

    def __enter__(self) -> Writer: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None: ...


class ImmediateWriter:
    """The writer that does all work when it is asked for."""

    pending_results = 0

    def __init__(self) -> None:
        self._results: list[Any] = []

    def put(self, work: Work, then: Then | None = None) -> None:
        """Do the work now."""
        work()
        if then is not None:
            self._results.append(then())

    def take_results(self) -> list[Any]:
        """Return the results of ``then`` since the last call."""
        found, self._results = self._results, []
        return found

    def wait(self) -> None:
        """Do nothing: all work is done."""

    def __enter__(self) -> ImmediateWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Do nothing: all work is done."""


class BackgroundWriter:
    """The writer with a thread of its own.

    After an error nothing more is written: a summary never comes without the tables that must stand before it.
    """

    def __init__(self, room: int) -> None:
        """Start the thread.

        Args:
            room: how much work may be waiting; ``put`` waits for the oldest where there is more.
        """
        self._room = max(1, room)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records")
        self._asked: deque[tuple[Future[None], Then | None]] = deque()
        self._failed = False  # set by the thread
        self._results: list[Any] = []

    def put(self, work: Work, then: Then | None = None) -> None:
        """Ask the thread for work; wait where too much is waiting."""
        while len(self._asked) >= self._room:
            self._take_oldest()
        self._take_done()
        self._asked.append((self._thread.submit(self._do, work), then))

    def take_results(self) -> list[Any]:
        """Return the results of ``then`` of all work that was done since the last call."""
        self._take_done()
        found, self._results = self._results, []
        return found

    def wait(self) -> None:
        """Wait until all work is done."""
        while self._asked:
            self._take_oldest()

    @property
    def pending_results(self) -> int:
        """Number of results still to come."""
        return sum(then is not None for _, then in self._asked)

    def _do(self, work: Work) -> None:
        if self._failed:
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise

    def _take_done(self) -> None:
        while self._asked and self._asked[0][0].done():
            self._take_oldest()

    def _take_oldest(self) -> None:
        """Wait for the oldest work. Where it failed it stays the oldest: every later call raises its error again."""
        done, then = self._asked[0]
        done.result()
        self._asked.popleft()
        if then is not None:
            self._results.append(then())

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all work. An error that is leaving the statement is not replaced by an error of writing.

        An interruption while it waits drops work that has not begun.
        """
        try:
            self.wait()
        except Exception as late:
            if error is None:
                raise
            if late is not error:
                logging.getLogger(__name__).warning("%s", late)
        finally:
            self._thread.shutdown(cancel_futures=True)
