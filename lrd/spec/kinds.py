"""Which cell or task a configuration means: one of lrd's, one that a package registers, or a class in a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lrd.cells import CELLS
from lrd.custom import PROTOCOLS, CustomError, ProtocolError, load, registered
from lrd.spec.build import build, build_named
from lrd.tasks import TASKS


def kinds_of(group: str) -> dict[str, type[Any]]:
    """Every cell or task (``group``) that has a name."""
    own: Mapping[str, type[Any]] = CELLS if group == "cell" else TASKS
    return {**own, **registered(group)}


def build_kind(group: str, config: Mapping[str, Any], sources: Mapping[str, str], errors: list[str]) -> Any:
    """The cell or task that ``config[group]`` names, or None with what is wrong appended to ``errors``.

    ``sources``: the text of its class by group, where that is not to be read from the file which ``path`` names.
    """
    values = config.get(group)
    if not isinstance(values, Mapping) or (values.get("name") != "custom" and "code" not in values):
        if isinstance(values, Mapping):  # which a sweep over custom and others has set for all of them
            config = {group: {key: value for key, value in values.items() if key != "path"}}
        return build_named(kinds_of(group), group, config, errors)
    path = values.get("path")
    if not isinstance(path, str) or path == "???":
        errors.append(f"{group}.path: must name your file and class, such as my_{group}.py:My{group.title()}")
        return None
    try:
        kind = load(group, path, sources.get(group))
        broken = None if group in sources else _broken(group, kind)
    except CustomError as error:
        errors.append(f"{group}.path: {error}")
        return None
    if broken:
        errors.append(f"{group}.path: {path} breaks {broken}; see `lrd check {path}`")
        return None
    options = {key: value for key, value in values.items() if key not in ("name", "path", "code")}
    if options.get("gap", 0) is None:  # the task's own
        del options["gap"]
    return build(kind, group, options, errors)


@cache
def _broken(group: str, kind: type[Any]) -> str:
    """The line of the protocol that a class breaks, and how."""
    protocol = PROTOCOLS[group]
    try:
        protocol.check(kind)
    except ProtocolError as error:
        return f"line {error.line} of the protocol ({protocol.lines[error.line - 1]}): {error}"
    return ""
