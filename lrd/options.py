"""Options of tasks, cells, probes and optimisers: dataclass fields with a help text and bounds.

Bounds are checked when an object is made (``check_options``), types and unknown names when a configuration becomes a
run (``lrd.spec``). Standard library alone, since the lower layers must import where only torch and numpy are installed.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any


class OptionError(ValueError):
    """A wrong value of one option.

    Args:
        key: name of the option inside its group (``gap``).
        message: what is allowed and what was got, to follow the name: "must be >= 1, got 0".
    """

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
    named_as_default: Iterable[Any] = (),
) -> Any:
    """Return a dataclass field that is an option of the command line.

    ``gap: int = option(20, "steps between the symbol and the answer", ge=1)`` in a task makes ``task.gap=50`` work, and
    ``task.gap=0`` an error of one line.

    Args:
        default: the value where nothing is said.
        help: what the option means, in a few words, with its unit.
        ge: the value must be greater than or equal to this bound. None is always allowed where the type allows it.
        gt: the value must be greater than this bound.
        le: the value must be less than or equal to this bound.
        lt: the value must be less than this bound.
        choices: the allowed values, for an option that is a name.
        per_run: whether runs that differ in the option can be trained in one pack: it changes no shape and no code
            path. For options of a cell that act on initial weights alone, and for such as a learning rate.
        identity: False for an option that changes nothing in a run's results, such as a label: it is left out of the
            hash that names the run.
        switch: whether the default turns something off, as if there were no such option. An option at such a default is
            left out of the hash, so that runs recorded before the option existed keep their names; runs with it on and
            off share no pack.
        named_as_default: values of a switch that leave a run its name as the default does, although they may measure
            more or less of it. Runs with different ones share no pack.
    """
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    metadata: dict[str, Any] = {"help": help, "per_run": per_run, "identity": identity, "switch": switch}
    metadata["named_as_default"] = (default, *named_as_default)
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
    """Check the options of an instance, as ``__post_init__`` of every dataclass of options does.

    Raises:
        OptionError: the first option that is out of bounds, not finite or not one of its choices.
    """
    for error in wrong_options(type(instance), vars(instance)):
        raise error


def wrong_options(kind: Any, values: Mapping[str, Any]) -> list[OptionError]:
    """Return an error for each value that its option does not allow.

    Args:
        kind: a dataclass of options.
        values: values of the right types by name; those that are missing or None are not checked.
    """
    fields = [field for field in dataclasses.fields(kind) if values.get(field.name) is not None]
    wrong = ((field.name, _wrong(field, values[field.name])) for field in fields)
    return [OptionError(name, message) for name, message in wrong if message]


def _wrong(field: dataclasses.Field[Any], value: Any) -> str | None:
    if isinstance(value, float) and math.isnan(value):
        return f"must be a number{_bounds_text(field)}, got nan"
    if isinstance(value, float) and math.isinf(value):
        return f"must be a finite number{_bounds_text(field)}, got {value}"
    bounds = field.metadata.get("bounds", {})
    if bounds and not isinstance(value, Real):
        return f"must be a number{_bounds_text(field)}, got {value!r}"
    for name, bound in bounds.items():
        if not _HOLDS[name][1](value, bound):
            return f"must be{_bounds_text(field)}, got {value}"
    choices = field.metadata.get("choices")
    if choices is not None and value not in choices:
        return not_a_choice(value, choices)
    return None


def not_a_choice(value: object, choices: Iterable[str]) -> str:
    """Say that a name is none of the choices, what they are, and which of them is nearest."""
    choices = list(choices)
    return f"must be one of {', '.join(choices)}, got {value!r}{nearest(str(value), choices)}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'hidden_size'?"`` for a wrong name, or "" where no valid name is close."""
    if name in (valid := list(valid)):  # it is right, and something else is wrong
        return ""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def several_are_swept(key: str, values: Iterable[object]) -> str:
    """Say how several values are given to an option that takes one: by a sweep."""
    return f"several values are swept, -m {key}={','.join(map(str, values))}"


def _bounds_text(field: dataclasses.Field[Any]) -> str:
    bounds = field.metadata.get("bounds", {})
    text = " and ".join(f"{_HOLDS[name][0]} {bound}" for name, bound in bounds.items())
    return f" {text}" if text else ""
