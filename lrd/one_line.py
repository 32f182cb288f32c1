"""Any text or error as one line: how lrd says what is wrong. Standard library only, for every layer."""

from __future__ import annotations


def one_line(said: object, longest: int | None = None) -> str:
    """Return a text, or what an error says, with single spaces in the place of line breaks.

    Args:
        said: a text or an error; an error without a message is named by its class.
        longest: most characters that are kept; default: all.
    """
    text = " ".join(str(said).split())
    if not text and isinstance(said, BaseException):
        text = type(said).__name__
    return text if longest is None else text[:longest]
