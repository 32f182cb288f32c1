"""Classes that installed packages register under the entry points ``lrd.cells``, ``lrd.tasks`` and ``lrd.probes``."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from lrd.custom.protocol import ProtocolError, named
from lrd.custom.protocols import PROTOCOLS
from lrd.custom.sources import CustomError, Source, note


@cache
def registered(group: str) -> dict[str, type]:
    """Return the classes of installed packages by name. One that is broken is left out, with a line on stderr.

    Args:
        group: cell, task or probe.
    """
    found: dict[str, type] = {}
    for entry in entry_points(group=f"lrd.{group}s"):
        try:
            found[entry.name] = _load(group, entry)
        except CustomError as error:
            print(f"lrd: {group} {entry.name} of {_package(entry)} is left out: {error}", file=sys.stderr)
    return dict(sorted(found.items()))


def _load(group: str, entry: EntryPoint) -> type:
    if entry.name in {*PROTOCOLS[group].own, "custom", "none"}:
        raise CustomError(f"lrd has a {group} of that name")
    try:
        kind = entry.load()
        PROTOCOLS[group].check_class(kind)
        text = inspect.getsource(sys.modules[kind.__module__])
    except ProtocolError as error:
        raise CustomError(str(error)) from error
    except (Exception, SystemExit) as error:  # whatever a stranger's package dies of
        raise CustomError(named(error)) from error
    assert isinstance(kind, type)
    if vars(kind).get("name") != entry.name:
        raise CustomError(f"its `name` must be {entry.name!r}, as it is registered")
    note(kind, Source(f"{_package(entry)}:{kind.__name__}", text, in_file=False))
    return kind


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.module
