"""Types of values in records, and one described column or key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

#: SQL types of the columns of tables.
BOOLEAN, INTEGER, REAL, TEXT = "BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"
#: Types of JSON files alone: an integer from 0 on, a finite number from 0 on, and whatever there is.
COUNT, AMOUNT, ANY = "COUNT", "AMOUNT", "ANY"

#: The type of a value in a JSON file, or the types of the keys of an object; the key ``*`` is every other key.
Declared = str | Mapping[str, "Declared"]


class Column(NamedTuple):
    """Type and meaning of one column of a table, or of one key of a JSON file."""

    type: str
    meaning: str


Columns = dict[str, Column]


def explained(types: Mapping[str, str], meanings: Mapping[str, str]) -> Columns:
    """Return the columns of a table from the types that another module declares and the meaning of each.

    Raises:
        ValueError: a column has no meaning, or a meaning no column.
    """
    if unmatched := set(types) ^ set(meanings):
        raise ValueError(f"columns that have a type or a meaning alone: {', '.join(sorted(unmatched))}")
    return {name: Column(kind, meanings[name]) for name, kind in types.items()}


def types_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """Return the SQL type of each column; names with a ``*``, which stand for many columns, are left out."""
    return {name: column.type for name, column in columns.items() if "*" not in name}


def declared_by(keys: Mapping[str, Column]) -> dict[str, Declared]:
    """Return the nested types of a JSON file from its keys, whose names have dots: ``task.chance.*``.

    A name that has a ``*`` beside other letters (``test_*``) describes keys of which no type is checked by name.
    """
    tree: dict[str, Declared] = {}
    for name, key in keys.items():
        *parents, last = name.split(".")
        if "*" in last and last != "*":
            continue
        branch = tree
        for parent in parents:
            inner = branch.setdefault(parent, {})
            assert isinstance(inner, dict), f"{name}: {parent} is no object"
            branch = inner
        branch[last] = key.type
    return tree
