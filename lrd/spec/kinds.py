"""The class that a configuration names: one of lrd's, one that a package registers, or one in a researcher's file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lrd.custom import PROTOCOLS, CustomError, ProtocolError, load, registered
from lrd.spec.build import build, build_named


def kinds_of(group: str) -> dict[str, type[Any]]:
    """Return every class that is chosen by its name, lrd's own and those of installed packages.

    Args:
        group: cell, task or probe.
    """
    return {**PROTOCOLS[group].own, **registered(group)}


def build_kind(group: str, config: Mapping[str, Any], sources: Mapping[str, str], errors: list[str]) -> Any:
    """Return the cell or task that a configuration names, or None with what is wrong appended to ``errors``.

    Args:
        group: cell or task.
        config: a run's whole configuration, nested by group.
        sources: texts of classes by group, where they are not to be read from the file that ``path`` names.
        errors: gets one line for each option that is wrong.
    """
    values = config.get(group)
    if not isinstance(values, Mapping) or (values.get("name") != "custom" and "code" not in values):
        if isinstance(values, Mapping):  # which a sweep over custom and others has set for all of them
            config = {group: {key: value for key, value in values.items() if key != "path"}}
        return build_named(kinds_of(group), group, config, errors)
    options = {key: value for key, value in values.items() if key != "name"}
    return build_own(group, group, options, sources.get(group), errors)


def build_own(group: str, key: str, options: Mapping[str, Any], text: str | None, errors: list[str]) -> Any:
    """Return an instance of a class in a researcher's file, or None with what is wrong appended to ``errors``.

    Args:
        group: cell, task or probe.
        key: what stands before an option's name in a message (``cell``, ``probe.custom``).
        options: of the instance, with ``path`` (FILE.py:CLASS) and, from a record, ``code``. Where a value is None and
            the class has a default that is not, the default is meant.
        text: of the file, as a record keeps it; None: what the file says now, which is held to the protocol.
        errors: gets one line for each option that is wrong.
    """
    path = options.get("path")
    if not isinstance(path, str) or path == "???":
        errors.append(f"{key}.path: must name your file and class, such as my_{group}.py:My{group.title()}")
        return None
    try:
        kind = load(group, path, text)
        broken = None if text is not None else _broken(group, kind)
    except CustomError as error:
        errors.append(f"{key}.path: {error}")
        return None
    if broken:
        errors.append(f"{key}.path: {path} breaks {broken}; see `lrd check {path}`")
        return None
    shared = _NULL_MEANS_DEFAULT[group]
    own = {name: value for name, value in options.items() if name not in ("path", "code")}
    return build(
        kind, key, {name: value for name, value in own.items() if value is not None or name not in shared}, errors
    )


#: Options of conf/*/custom.yaml whose null stands for the class's own default.
_NULL_MEANS_DEFAULT: dict[str, tuple[str, ...]] = {"cell": (), "task": ("gap",), "probe": ("per_decade", "samples")}


@cache
def _broken(group: str, kind: type[Any]) -> str:
    """Return the line of the protocol that a class breaks, and how; "" where it keeps all."""
    protocol = PROTOCOLS[group]
    try:
        protocol.check(kind)
    except ProtocolError as error:
        return f"line {error.line} of the protocol ({protocol.lines[error.line - 1]}): {error}"
    return ""
