"""Options of tasks, cells, optimisers: dataclass fields that state their bounds, checked when an object is made.

Standard library only, since the lower layers must import where only torch and numpy are installed. ``lrd.spec`` adds
the check of types and of unknown names.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class OptionError(ValueError):
    """One wrong option. ``key`` is its name inside its group (``gap``), the message says what is allowed."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def option(
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Iterable[str] | None = None,
    per_run: bool = False,
    identity: bool = True,
    switch: bool = False,
) -> Any:
    """A dataclass field with its help text and bounds (>=, >, <=, <) or its allowed names.

    ``per_run``: runs that differ in it can share a pack (it changes no shape and no code path).
    ``identity``: False for what changes nothing in a run's results, and so is left out of its hash.
    ``switch``: its default turns it off, which is as if there were no such option: it is then left out of the hash, so
    that runs recorded before there was the option keep their names; runs with it on and off share no pack.
    """
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    metadata: dict[str, Any] = {"help": help, "per_run": per_run, "identity": identity, "switch": switch}
    metadata["bounds"] = {k: v for k, v in bounds.items() if v is not None}
    if choices is not None:
        metadata["choices"] = tuple(choices)
    return dataclasses.field(default=default, metadata=metadata)


_HOLDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": (">=", lambda value, bound: value >= bound),
    "gt": (">", lambda value, bound: value > bound),
    "le": ("<=", lambda value, bound: value <= bound),
    "lt": ("<", lambda value, bound: value < bound),
}


def check_options(instance: Any) -> None:
    """Raise ``OptionError`` for the first field of a dataclass that is out of bounds, not finite or not a choice."""
    for error in wrong_options(type(instance), vars(instance)):
        raise error


def wrong_options(kind: Any, values: Mapping[str, Any]) -> list[OptionError]:
    """What is wrong with values of the right type for the fields of a dataclass, each by itself."""
    fields = [field for field in dataclasses.fields(kind) if values.get(field.name) is not None]
    wrong = ((field.name, _wrong(field, values[field.name])) for field in fields)
    return [OptionError(name, message) for name, message in wrong if message]


def _wrong(field: dataclasses.Field[Any], value: Any) -> str | None:
    if isinstance(value, float) and math.isnan(value):
        return f"must be a number{_bounds_text(field)}, got nan"
    if isinstance(value, float) and math.isinf(value):
        return f"must be a finite number{_bounds_text(field)}, got {value}"
    for name, bound in field.metadata.get("bounds", {}).items():
        if not _HOLDS[name][1](value, bound):
            return f"must be{_bounds_text(field)}, got {value}"
    choices = field.metadata.get("choices")
    if choices is not None and value not in choices:
        return not_a_choice(value, choices)
    return None


def not_a_choice(value: object, choices: Iterable[str]) -> str:
    """The message for a wrong name: what is allowed and the nearest of it."""
    choices = list(choices)
    return f"must be one of {', '.join(choices)}, got {value!r}{nearest(str(value), choices)}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """``"; did you mean 'hidden_size'?"``, or nothing where no valid name is close."""
    if name in (valid := list(valid)):  # it is right, and something else is wrong
        return ""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def several_are_swept(key: str, values: Iterable[object]) -> str:
    """Return what to say where several values were given to an option that takes one."""
    return f"several values are swept, -m {key}={','.join(map(str, values))}"


def _bounds_text(field: dataclasses.Field[Any]) -> str:
    bounds = field.metadata.get("bounds", {})
    text = " and ".join(f"{_HOLDS[name][0]} {bound}" for name, bound in bounds.items())
    return f" {text}" if text else ""
