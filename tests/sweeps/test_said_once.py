"""The log of a sweep: what several workers say is printed once, by the command that started them."""

from __future__ import annotations

import logging
import pickle

import pytest

from lrd.sweeps.said_once import ToTheSweep, said_once, take

LOGGER = logging.getLogger("lrd.somewhere")


def sent(*lines: tuple[str, object]) -> list[logging.LogRecord]:
    """Return what arrives of warnings of a worker."""
    records: list[bytes] = []
    handler = ToTheSweep(lambda record: records.append(pickle.dumps(record)))
    logger = logging.Logger("lrd.somewhere")
    logger.addHandler(handler)
    for line, argument in lines:
        logger.warning(line, argument)
    return [pickle.loads(record) for record in records]


def test_each_line_is_printed_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a command of lrd
    with said_once():
        for record in sent(("kernel %s", "a"), ("kernel %s", "b")) + sent(("kernel %s", lambda: 1), ("kernel %s", "a")):
            take(record)
        LOGGER.warning("kernel b")
        LOGGER.info("not printed")
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in printed if "lambda" not in line] == ["kernel a", "kernel b"]
    assert len(printed) == 3
    LOGGER.warning("kernel b")
    assert capsys.readouterr().err == "kernel b\n"


def test_who_handles_the_log_gets_all(caplog: pytest.LogCaptureFixture) -> None:
    with said_once():
        for record in sent(("kernel %s", "a")) + sent(("kernel %s", "a")):
            take(record)
    assert [record.getMessage() for record in caplog.records] == ["kernel a"] * 2


def test_where_nothing_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with said_once():
        LOGGER.warning("nobody hears it")
    assert capsys.readouterr().err == ""
