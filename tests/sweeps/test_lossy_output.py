"""What cannot be written is lost, whatever the stream answers, and costs neither an error nor the exit status."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from lrd.sweeps.lossy_output import lossy_output

FULL = Path("/dev/full")


class Answering(io.StringIO):
    """A stream that answers a word with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def gone() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w")


def closed() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "make",
    [
        gone,
        closed,
        pytest.param(lambda: FULL.open("w"), marks=pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")),
        lambda: Answering(OSError(errno.EIO, "the terminal is gone")),
        lambda: Answering(BlockingIOError()),
        lambda: Answering(RuntimeError("reentrant call")),
    ],
)
@pytest.mark.parametrize("flush", [True, False])
def test_what_cannot_be_written_is_lost(make: object, flush: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = make()  # type: ignore[operator]
    monkeypatch.setattr(sys, "stdout", stream)
    with lossy_output():
        for _ in range(2):
            print("word", flush=flush)
            sys.stdout.writelines(["more", "words"])
    assert sys.stdout is stream
    stream.close()  # with nothing left that it could not write


def test_a_letter_that_the_stream_does_not_know_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))
    with lossy_output():
        print("runs/été", file=sys.stderr)
        assert sys.stderr.encoding == "ascii"
        assert not sys.stderr.isatty()
    assert written.getvalue() == b"runs/\\xe9t\\xe9\n"


def test_no_file_gets_the_number_of_a_stream_that_was_closed(tmp_path: Path) -> None:
    script = """if True:
        import os, sys
        from lrd.sweeps.lossy_output import lossy_output, open_closed_streams
        open_closed_streams()
        with lossy_output():
            with open("record", "w") as record:
                os.write(2, b"a word of some library")
                print("word", file=sys.stderr)
                print("word")
                assert sys.stdin.read() == ""
                print(record.fileno(), file=record)
    """
    closing = 'exec "$@" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", closing, "sh", sys.executable, "-c", script], cwd=tmp_path)
    assert done.returncode == 0
    assert int((tmp_path / "record").read_text(encoding="utf-8")) > 2
