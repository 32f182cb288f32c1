"""Why a figure of a study is not there."""

from __future__ import annotations


class NothingToDrawError(Exception):
    """The records hold nothing for a figure; the message says what is missing, in one line."""


class NotMeasuredError(NothingToDrawError):
    """A study was not made for a figure: no probe measured what it shows, or nothing was swept."""


class FigureOptionError(ValueError):
    """A style, width or folder that cannot be used; the message is one line that names it and the way out."""


class FigureScriptError(ValueError):
    """A figure script that cannot be used; the message is one line that names the file."""
