"""Printing any text on any terminal, whatever the encoding of the locale."""

from __future__ import annotations

import codecs
import io
import sys


def print_anything() -> None:
    r"""Make stdout and stderr write ``\xe9`` for a character that their encoding lacks, instead of raising an error.

    Bytes of a path that are no text in the locale are written unchanged.
    """
    codecs.register_error("lrd.printing", _written)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lrd.printing")


def _written(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    known = ["surrogateescape" if "\udc80" <= sign <= "\udcff" else "backslashreplace" for sign in signs]
    return b"".join(sign.encode("ascii", how) for sign, how in zip(signs, known, strict=True)), error.end
