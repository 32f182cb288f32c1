"""Telling how training goes, to whoever listens: nobody who stops listening ends it.

A terminal goes away, the reader of a pipe ends, the disk of a log fills, a shell has closed the stream: inside of
``telling`` whatever is printed, by lrd, by a library or by a cell of one's own, is told or lost, and never an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast


class Teller:
    """A stream of text that loses what its stream cannot take; in all else it is its stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if that can be."""
        self._tell(lambda: self._stream.write(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all of them, if that can be."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Flush, if that can be."""
        self._tell(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _tell(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (BlockingIOError, RuntimeError):  # not now; or told by a signal's handler in the middle of telling
            pass
        except OSError:
            silence(self._stream)
        except UnicodeEncodeError as error:
            told = str(error.object).encode(error.encoding, "backslashreplace").decode(error.encoding)
            self._tell(lambda: self._stream.write(told))
        except ValueError:  # somebody has closed it
            pass


@contextmanager
def telling() -> Iterator[None]:
    """Let no word to stdout or stderr raise an error, inside and when Python writes the last of them at its end."""
    before = sys.stdout, sys.stderr
    tellers = [Teller(stream) for stream in before]
    sys.stdout, sys.stderr = (cast(TextIO, teller) for teller in tellers)
    try:
        yield
    finally:
        for teller in tellers:
            teller.flush()
        sys.stdout, sys.stderr = before


def silence(stream: TextIO) -> None:
    """Let a stream lead nowhere from now on, with what it has not written yet; one without a file stays as it is."""
    try:
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return
    os.dup2(nowhere, number)
    os.close(nowhere)


def open_closed_streams() -> None:
    """Let stdin, stdout and stderr lead nowhere where they were closed.

    The next file opened, which may be a record's, would get their number, and all that libraries write there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for good)
