"""Writing at once and behind: order, room, errors, interruption."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lrd.records import BackgroundWriter, ImmediateWriter, RecordError, Writer

LIMIT = 60.0  # seconds after which a test that hangs gives up
KINDS: list[Callable[[], Writer]] = [ImmediateWriter, lambda: BackgroundWriter(3)]


@pytest.mark.parametrize("kind", KINDS, ids=["at once", "behind"])
def test_works_are_done_one_after_another_in_the_order_asked_for(kind: Callable[[], Writer]) -> None:
    done: list[int] = []
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.001 * (number % 3))  # a later one that did not wait for it would overtake it
        done.append(number)
        assert begun == done

    with kind() as writer:
        for number in range(10):
            writer.put(lambda number=number: work(number), lambda number=number: number)  # type: ignore[misc]
        writer.wait()
        assert done == list(range(10))
        assert writer.take_results() == list(range(10))
        assert writer.take_results() == []
        assert writer.pending_results == 0


def test_one_thread_writes_and_the_one_that_asks_reports() -> None:
    where: dict[str, list[int]] = {"work": [], "then": []}
    with BackgroundWriter(3) as writer:
        for _ in range(5):
            writer.put(
                lambda: where["work"].append(threading.get_ident()), lambda: where["then"].append(threading.get_ident())
            )
    assert set(where["then"]) == {threading.get_ident()}
    assert len(set(where["work"])) == 1
    assert set(where["work"]) != set(where["then"])
    assert len(where["work"]) == len(where["then"]) == 5


def test_nothing_is_reported_of_work_that_is_not_done() -> None:
    go = threading.Event()
    with BackgroundWriter(3) as writer:
        writer.put(lambda: go.wait(LIMIT) and None, lambda: "then")
        assert (writer.take_results(), writer.pending_results) == ([], 1)
        go.set()
        writer.wait()
        assert (writer.take_results(), writer.pending_results) == (["then"], 0)


def test_who_asks_for_more_than_there_is_room_for_waits() -> None:
    """However slow this machine is: a third work is taken once the first is done, which is after ``go``."""
    go = threading.Event()
    with BackgroundWriter(2) as writer:
        writer.put(lambda: go.wait(LIMIT) and None, lambda: "first")
        writer.put(lambda: None)
        threading.Timer(0.05, go.set).start()
        writer.put(lambda: None)
        assert go.is_set()
        assert writer.take_results() == ["first"]


def inside(writer: BackgroundWriter, call: Callable[[], object]) -> None:
    with writer:
        call()


def full() -> None:
    raise RecordError("cannot write a: the disk is full")


def test_the_first_error_is_raised_by_every_later_call_and_nothing_more_is_written() -> None:
    done: list[str] = []
    go = threading.Event()
    writer = BackgroundWriter(5)

    def ask() -> None:
        writer.put(lambda: done.append("before"), lambda: "before")
        writer.put(lambda: go.wait(LIMIT) and None)
        writer.put(full, lambda: "full")
        writer.put(lambda: done.append("after"), lambda: "after")
        go.set()
        for call in (writer.wait, writer.take_results, lambda: writer.put(lambda: done.append("later"))):
            with pytest.raises(RecordError, match="the disk is full"):
                call()

    with pytest.raises(RecordError, match="the disk is full"):
        inside(writer, ask)
    assert done == ["before"]
    assert writer._results == ["before"]


def test_an_error_that_nobody_asked_for_is_raised_at_the_end() -> None:
    with pytest.raises(RecordError, match="the disk is full"), BackgroundWriter(5) as writer:
        writer.put(full)


def test_an_error_of_training_is_not_replaced_and_all_is_written(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def fails(*works: Callable[[], None]) -> None:
        with BackgroundWriter(5) as writer:
            for work in works:
                writer.put(work)
            raise KeyError

    with pytest.raises(KeyError):
        fails(*(lambda number=number: done.append(number) for number in range(4)))  # type: ignore[misc]
    assert done == [0, 1, 2, 3]
    with pytest.raises(KeyError):
        fails(full)
    assert caplog.messages == ["cannot write a: the disk is full"]


def test_an_interruption_of_the_wait_drops_what_is_not_begun_and_lets_the_rest_end() -> None:
    done: list[Any] = []
    writer = BackgroundWriter(5)

    def first() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        limit = time.monotonic() + LIMIT
        while not writer._asked[-1][0].cancelled():
            assert time.monotonic() < limit
            time.sleep(0.001)
        done.append("first")

    ready = threading.Event()

    def ask() -> None:
        writer.put(lambda: ready.wait(LIMIT) and None)
        writer.put(first)
        writer.put(lambda: done.append("last"))
        ready.set()

    with pytest.raises(KeyboardInterrupt):
        inside(writer, ask)
    assert done == ["first"]
