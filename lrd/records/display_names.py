"""Cells and tasks of one name that are not one: a custom one beside lrd's own, or two versions of a custom one.

In the table ``runs`` they have their file's name behind the own, ``lstm (my_cell.py)``, or where that is the same the
beginning of their text's digest, ``mgu (a1b2c3)``; so have labels. lrd's own, and what shares its name with nothing
else, stay as they are. ``cell_name`` and ``task_name`` are always as the records have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

Row = Mapping[str, Any]

SHORTEST = 6  # letters of a digest


def with_display_names(rows: Sequence[Row], among: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows of ``runs`` with names that tell apart whatever differs in its code among all these rows."""
    cells, tasks = _endings("cell", "cell", among), _endings("task", "task", among)
    labels = _endings("cell", "label", [_labelled(row) for row in among])
    named = []
    for row in rows:
        new, label = dict(row), row.get("cell_label")
        code, shown = row.get("cell_code"), _labelled(row)["label"]
        ending = labels.get((shown, code), "")
        ends = {
            "task": tasks.get((row.get("task"), row.get("task_code")), ""),
            "cell": cells.get((row.get("cell"), code), "" if label is not None else ending),
            "cell_label": "" if label is None else ending,
        }
        new |= {column: f"{row[column]}{end}" for column, end in ends.items() if end}
        named.append(new)
    return named


def _labelled(row: Row) -> dict[str, Any]:
    label = row.get("cell_label")
    return {**row, "label": row.get("cell") if label is None else str(label)}


def _endings(group: str, column: str, rows: Iterable[Row]) -> dict[tuple[Any, Any], str]:
    """Return what goes behind a name, by (name, digest of the code), for names that several codes have."""
    files: dict[Any, dict[Any, set[str]]] = {}
    for row in rows:
        file = PurePath(str(row.get(f"{group}_path")).rpartition(":")[0]).name
        files.setdefault(row.get(column), {}).setdefault(row.get(f"{group}_code"), set()).add(file)
    return {
        (name, code): f" ({mark})"
        for name, codes in files.items()
        if len(codes) > 1
        for code, mark in _marks({str(code): those for code, those in codes.items() if code is not None}).items()
    }


def _marks(codes: Mapping[str, set[str]]) -> dict[str, str]:
    """Return a mark for each digest: its file's name, or its beginning where not each has a file of its own."""
    names = ["".join(files) for files in codes.values() if len(files) == 1]
    if all(names) and len(set(names)) == len(codes):
        return dict(zip(codes, names, strict=True))
    length = SHORTEST
    while len({code[:length] for code in codes}) < len(codes):
        length += 1
    return {code: code[:length] for code in codes}
