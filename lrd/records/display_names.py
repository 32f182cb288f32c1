"""Names of cells and tasks in the table ``runs``, made different where one name stands for several codes or networks.

A custom cell may have the name of one of lrd's, and a study may hold two versions of a custom cell. In the columns
``cell``, ``task`` and ``cell_label`` such a name is followed by the name of its file, ``lstm (my_cell.py)``, or, where
the file is the same, by the beginning of the digest of its text, ``mgu (a1b2c3)``. lrd's own cells and tasks keep their
names, and so does every name that stands for one code alone. ``cell_name`` and ``task_name`` are always as recorded.

Cells of one name whose networks differ in layers, direction or dropout are followed by what they have of these:
``lstm, 2 layers, bidirectional``. A network of one layer keeps the name alone, and so does every cell of which a study
has one kind of network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

Row = Mapping[str, Any]
_NETWORK = re.compile(r"(, \d+ layers)?(, bidirectional)?(, dropout [\d.e-]+)?$")

SHORTEST = 6  # letters of a digest, at least
#: Options that make a network of a cell: what a name says of each value, and what stands for no value.
NETWORK: dict[str, tuple[Callable[[Any], str], Any]] = {
    "cell_layers": (lambda layers: f", {layers} layers", 1),
    "cell_bidirectional": (lambda _: ", bidirectional", False),
    "cell_dropout": (lambda share: f", dropout {share:g}", 0),
}


def with_display_names(rows: Sequence[Row], among: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of ``runs`` in which equal names mean equal code.

    Args:
        rows: the rows to name, as ``lrd.records.run_rows`` reads them.
        among: all rows whose names are compared; a study that is filtered keeps the names that it had before.
    """
    cells, tasks = _endings("cell", "cell", among), _endings("task", "task", among)
    labels = _endings("cell", "label", [_labelled(row) for row in among])
    networks = _networks(among)
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
        network = "".join(say(row[option]) for option, say in networks.get(shown, {}).items() if _is_on(row, option))
        ends["cell"] += network
        ends["cell_label"] += "" if label is None else network
        new |= {column: f"{row[column]}{end}" for column, end in ends.items() if end}
        named.append(new)
    return named


def _labelled(row: Row) -> dict[str, Any]:
    label = row.get("cell_label")
    return {**row, "label": row.get("cell") if label is None else str(label)}


def is_network(row: Row) -> bool:
    """Return whether a run has a network of more than one cell, or of dropout, which its name may say."""
    return any(_is_on(row, option) for option in NETWORK)


def split_network(label: str) -> tuple[str, str]:
    """Return the name of a cell and what follows of its network: ``lstm`` and ``, 2 layers``."""
    found = _NETWORK.search(label)
    assert found is not None  # it may be empty
    return label[: found.start()], found.group()


def _networks(rows: Iterable[Row]) -> dict[Any, dict[str, Callable[[Any], str]]]:
    """Return for each label the options of ``NETWORK`` in which its runs differ, each with what it adds to the name."""
    values: dict[Any, dict[str, set[Any]]] = {}
    for row in rows:
        of_label = values.setdefault(_labelled(row)["label"], {option: set() for option in NETWORK})
        for option, (_, nothing) in NETWORK.items():
            of_label[option].add(row[option] if _is_on(row, option) else nothing)
    return {
        label: {option: NETWORK[option][0] for option, seen in options.items() if len(seen) > 1}
        for label, options in values.items()
    }


def _is_on(row: Row, option: str) -> bool:
    """Return whether a run has a network of more than a cell by an option; older records lack these options."""
    return isinstance(row.get(option), int | float) and row[option] != NETWORK[option][1]


def _endings(group: str, column: str, rows: Iterable[Row]) -> dict[tuple[Any, Any], str]:
    """Return the ending of each name that several codes have, by (name, digest of the code)."""
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
    """Return a mark for each digest: the name of its file, or the digest's beginning where codes share a file."""
    names = ["".join(files) for files in codes.values() if len(files) == 1]
    if all(names) and len(set(names)) == len(codes):
        return dict(zip(codes, names, strict=True))
    length = SHORTEST
    while len({code[:length] for code in codes}) < len(codes):
        length += 1
    return {code: code[:length] for code in codes}
