"""When the files of records are written: at once, or by a thread of their own while training goes on.

What is asked for is done one after another, in the order in which it was asked for, by either: that order is what makes
a record safe to read at any moment (``lrd.records.record``). Whatever a writer is given must not change any more.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

Work = Callable[[], None]
#: What may be said once the work is done; called by the thread that asks, never by the one that writes.
Then = Callable[[], Any]


@runtime_checkable
class Writer(Protocol):
    """Used in a ``with`` statement, which is left only when all is written. All methods belong to one thread."""

    def put(self, work: Work, then: Then | None = None) -> None:
        """Ask for ``work``, and for ``then`` after it. Raises the first error of any work, whichever it was of."""
        ...

    def take_results(self) -> list[Any]:
        """What each ``then`` gave since the last call, of all the work that is done. Raises as ``put``."""
        ...

    def wait(self) -> None:
        """Until all that was asked for is done. Raises as ``put``."""
        ...

    @property
    def pending_results(self) -> int:
        """How many ``then`` are still to come."""
        ...

    def __enter__(self) -> Writer: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None: ...


class ImmediateWriter:
    """Everything is written when it is asked for."""

    pending_results = 0

    def __init__(self) -> None:
        self._results: list[Any] = []

    def put(self, work: Work, then: Then | None = None) -> None:
        """Do it."""
        work()
        if then is not None:
            self._results.append(then())

    def take_results(self) -> list[Any]:
        """See ``Writer``."""
        found, self._results = self._results, []
        return found

    def wait(self) -> None:
        """Nothing is left to do."""

    def __enter__(self) -> ImmediateWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Nothing is left to do."""


class BackgroundWriter:
    """One thread writes. After an error nothing more is: a summary never comes without what has to stand before it."""

    def __init__(self, room: int) -> None:
        """``room``: works that may be waiting; who asks for more waits until the oldest is done."""
        self._room = max(1, room)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records")
        self._asked: deque[tuple[Future[None], Then | None]] = deque()
        self._failed = False  # set by the thread
        self._results: list[Any] = []

    def put(self, work: Work, then: Then | None = None) -> None:
        """See ``Writer``."""
        while len(self._asked) >= self._room:
            self._take_oldest()
        self._take_done()
        self._asked.append((self._thread.submit(self._do, work), then))

    def take_results(self) -> list[Any]:
        """See ``Writer``."""
        self._take_done()
        found, self._results = self._results, []
        return found

    def wait(self) -> None:
        """See ``Writer``."""
        while self._asked:
            self._take_oldest()

    @property
    def pending_results(self) -> int:
        """See ``Writer``."""
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
        """Wait for it. One that failed stays the oldest: every later call raises its error again."""
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
        """Wait for all of it; an error that leaves the statement already is not replaced by one of writing.

        An interruption while it waits drops what has not been begun.
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
