"""One finding about this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: ok: it works; note: it is not there, and need not be; warning: it may hinder; failed: what this machine needs does
#: not work.
STATES = ("ok", "note", "warning", "failed")


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        section: The section that it belongs to.
        name: What it is about; no other finding of the section has this name.
        state: One of ``STATES``.
        value: What was found, in words.
        way_out: What to do about it; empty where nothing is to be done.
        facts: The same as numbers and names, for programs.
    """

    section: str
    name: str
    state: str
    value: str
    way_out: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
