"""Checks of values and columns against the types that ``lrd.records.schema`` declares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrd.records.schema import AMOUNT, ANY, BOOLEAN, COUNT, INTEGER, REAL, TEXT, Declared

_WORDS = {BOOLEAN: "true or false", INTEGER: "an integer", REAL: "a number", TEXT: "a text"}
_WORDS |= {COUNT: "an integer from 0 on", AMOUNT: "a finite number from 0 on"}
_WIDEST = 2**63  # integers of tables are smaller


def mismatch(value: Any, declared: Declared, name: str = "it") -> str:
    """Say in a few words what in a JSON value is not as declared; return "" where all of it is.

    Args:
        value: the value; None has every type.
        declared: its type, or the types of its keys.
        name: how the message calls the value.
    """
    if value is None or declared == ANY:
        return ""
    if isinstance(declared, str):
        return "" if _is(value, declared) else f"{name} is {_short(value)}, not {_WORDS[declared]}"
    if not isinstance(value, Mapping):
        return f"{name} is {_short(value)}, not an object"
    for key, item in value.items():
        if said := mismatch(item, declared.get(key, declared.get("*", ANY)), _short(key)[1:-1]):
            return said
    return ""


def column_fits(type_of_column: str, declared: str) -> bool:
    """Return whether a column can stand for one of the declared type.

    Args:
        type_of_column: its SQL type, also one that lrd never writes; every integer counts as a number.
        declared: one of BOOLEAN, BIGINT, DOUBLE and VARCHAR.
    """
    whole = {"BIGINT", "INTEGER", "SMALLINT", "TINYINT"}
    known = {INTEGER: whole, REAL: whole | {"DOUBLE", "FLOAT"}, TEXT: {"VARCHAR"}, BOOLEAN: {"BOOLEAN"}}
    return type_of_column in known[declared]


def _is(value: Any, declared: str) -> bool:
    if declared == TEXT:
        return isinstance(value, str)
    if declared == BOOLEAN or isinstance(value, bool):
        return isinstance(value, bool) and declared == BOOLEAN
    if isinstance(value, int):
        return (0 if declared in (COUNT, AMOUNT) else -_WIDEST) <= value < _WIDEST
    return isinstance(value, float) and (declared == REAL or (declared == AMOUNT and 0 <= value < math.inf))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:20]}...{text[-17:]}"
