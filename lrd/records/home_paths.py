"""Paths with ``~`` in the place of home folders, for figures and reports that are sent to others."""

from __future__ import annotations

import re
from pathlib import Path

_START = r"(?<![\w~.])(?<!:/)"  # not within a path or the address of a page
#: /home/anna, /home2/anna, /Users/anna, /cluster/home/anna and /root.
_HOMES = re.compile(rf"{_START}(?:(?:/[\w.-]+)*?/(?:home\d*|[Uu]sers)/[^/\s:'\"]+|/root)(?=[/\s:'\"]|$)")


def without_home(text: str) -> str:
    """Return a text in which ``~`` stands for this user's home folder and for what looks like another user's."""
    mine = str(Path("~").expanduser())
    if len(mine) > 1:
        text = re.sub(rf"{_START}{re.escape(mine)}(?=[/\s:'\"]|$)", "~", text)
    return _HOMES.sub("~", text)
