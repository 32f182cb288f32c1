"""Output that may be lost: nobody who stops listening ends a training.

A terminal goes away, the reader of a pipe ends, the disk of a log fills, a shell has closed the stream: inside of
``lossy_output`` whatever is printed, by lrd, by a library or by a cell of one's own, is written or lost, and never an
error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast


class LossyStream:
    """A stream of text that loses what the stream below it cannot take; in all else it behaves like that stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or lose it; return its length either way."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all lines, or lose them."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (BlockingIOError, RuntimeError):  # not now; or a signal's handler prints in the middle of a print
            pass
        except OSError:
            silence(self._stream)
        except UnicodeEncodeError as error:
            spelled = str(error.object).encode(error.encoding, "backslashreplace").decode(error.encoding)
            self._try(lambda: self._stream.write(spelled))
        except ValueError:  # somebody has closed it
            pass


@contextmanager
def lossy_output() -> Iterator[None]:
    """Let nothing that is printed raise an error: inside, and when Python writes the last of it at its end."""
    before = sys.stdout, sys.stderr
    streams = [LossyStream(stream) for stream in before]
    sys.stdout, sys.stderr = (cast(TextIO, stream) for stream in streams)
    try:
        yield
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


def silence(stream: TextIO) -> None:
    """Lead a stream to nowhere from now on, with what it has not written yet; one without a file stays as it is."""
    try:
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return
    os.dup2(nowhere, number)
    os.close(nowhere)


def open_closed_streams() -> None:
    """Lead stdin, stdout and stderr to nowhere where they were closed.

    The next file opened, which may be a record's, would get their number, and all that libraries write there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for good)
