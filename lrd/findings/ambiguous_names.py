"""Names in a condition that the records tell apart: ``mgu`` where a study holds two versions of a cell ``mgu``.

Their runs are then called ``mgu (a1b2c3)`` and ``mgu (d4e5f6)`` in the columns ``cell``, ``cell_label`` and ``task`` of
the table ``runs`` (``lrd.records.display_names``), and ``cell = 'mgu'`` is met by none of them. So are networks of
several layers or directions, ``mgu, 2 layers``.
"""

from __future__ import annotations

import re

from lrd.records import Study
from lrd.records.display_names import split_network

_COLUMNS = ("cell", "cell_label", "task")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


def names_instead(condition: str, study: Study) -> str:
    """Return the names that a study has instead of those in a condition, as the end of a message; empty if none."""
    known = {name for name in _COLUMNS if name in study.sql("select * from runs limit 0").columns}
    names: set[str] = set()
    for column in known:
        names |= {str(name) for (name,) in study.sql(f"select distinct {column} from runs").fetchall()}
    parts = []
    for literal in dict.fromkeys(_LITERAL.findall(condition)):
        instead = sorted(name for name in names if _is_told_apart(name, literal))
        if instead:
            parts.append(f"{literal!r} is told apart here as {', '.join(map(repr, instead))}")
    return f"; {'; '.join(parts)} (cell_name and task_name are the names alone)" if parts else ""


def _is_told_apart(name: str, alone: str) -> bool:
    rest = split_network(name)[0].removeprefix(alone) if name.startswith(alone) else name
    return name != alone and (not rest or (rest.startswith(" (") and rest.endswith(")")))
