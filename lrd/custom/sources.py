"""A class out of a researcher's file: ``my_cell.py:MyCell``.

The class is what its text says: a run's id holds a digest of it, its record the whole of it, and wherever the run is
trained or measured again, the class is made from that text and not from whatever the file says by then. What the
file itself imports from its own folder is not part of the text.
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from lrd.custom.protocol import ProtocolError, named
from lrd.custom.protocols import PROTOCOLS
from lrd.options import nearest
from lrd.paths import CONF
from lrd.user_files import import_beside, line_in, path_of, read_user_text, run_as_module


class CustomError(ValueError):
    """A class that cannot be had; the message is one line that names the file."""


@dataclass(frozen=True)
class Source:
    """Where a class comes from.

    Attributes:
        path: FILE:CLASS, the file absolute; of an installed package, its name and version instead of the file.
        text: the whole file.
        in_file: False for a class of an installed package, which is found again by its name.
    """

    path: str
    text: str
    in_file: bool = True

    @cached_property
    def code(self) -> str:
        """A digest of the text: equal for the same text only."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


_SOURCES: dict[type, Source] = {}


def source_of(kind: type) -> Source | None:
    """Return where a class was loaded from; None for the classes of lrd itself."""
    return _SOURCES.get(kind)


def note(kind: type, source: Source) -> None:
    """Remember where a class comes from."""
    _SOURCES[kind] = source


def load(group: str, path: str, text: str | None = None) -> type:
    """Return a class out of a file, checked as far as possible without an instance.

    Args:
        group: cell, task or probe.
        path: FILE.py:CLASS.
        text: what to make the class from, as a record keeps it; None: what the file says now.

    Raises:
        CustomError: there is no such file or class, it cannot be run, or it is no cell (task, probe).
    """
    where, text = _found(path, text, group)
    return _load(group, where, text)


def load_any(path: str) -> tuple[str, type]:
    """Return the class that ``FILE.py:CLASS`` names and its group (cell, task or probe), not held to its protocol.

    Raises:
        CustomError: there is no such file or class, it cannot be run, or it is derived from no class that lrd takes.
    """
    where, text = _found(path, None, "cell")
    kind = _class(where, text)
    for group, protocol in PROTOCOLS.items():
        if inspect.isclass(kind) and issubclass(kind, protocol.base):
            return group, kind
    bases = [f"lrd.{group}s.{protocol.base.__name__}" for group, protocol in PROTOCOLS.items()]
    raise CustomError(f"{path} must be derived from one of {', '.join(bases)}")


def _found(path: str, text: str | None, group: str) -> tuple[str, str]:
    """Return FILE:CLASS with the file absolute, and the text to make the class from."""
    file, _, name = path.rpartition(":")
    if not file or not name.isidentifier():
        raise CustomError(f"must name a file and a class in it, such as my_{group}.py:My{group.title()}, got {path!r}")
    where = _file(file)
    if text is None:
        try:
            text = read_user_text(where)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise CustomError(f"cannot read {file}: {reason}") from error
    return f"{where}:{name}", text


def _file(text: str) -> Path:
    """Return a user's file, absolute. One of lrd's own studies, experiments/NAME.py, is found from any folder."""
    where = path_of(text).absolute()
    parts = Path(text).parts
    if parts[:1] == ("experiments",) and not where.exists():
        own = CONF.joinpath("experiment", *parts[1:]).resolve()
        return own if own.is_file() else where
    return where


@lru_cache(maxsize=256)
def _load(group: str, path: str, text: str) -> type:
    kind, (file, _, name) = _class(path, text), path.rpartition(":")
    try:
        PROTOCOLS[group].check_class(kind)
    except ProtocolError as error:
        raise CustomError(f"{Path(file).name}:{name}: {error} (`lrd check` shows the protocol)") from error
    assert isinstance(kind, type)
    note(kind, Source(path, text))
    # Another process cannot import the class: its instances travel as the text and their options.
    copyreg.pickle(kind, partial(_reduced, group, path, text))
    return kind


def _reduced(group: str, path: str, text: str, instance: Any) -> tuple[Any, ...]:
    return _restored, (group, path, text, dict(vars(instance)))


def _restored(group: str, path: str, text: str, options: Mapping[str, Any]) -> Any:
    return load(group, path, text)(**options)


def _class(path: str, text: str) -> Any:
    """Return what has the name of the class in the module that a text makes."""
    file, _, name = path.rpartition(":")
    module = _module(Source(path, text), Path(file))
    kind = vars(module).get(name)
    if kind is None:
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise CustomError(f"{Path(file).name} has no class {name}{nearest(name, classes)}")
    return kind


def _module(source: Source, file: Path) -> types.ModuleType:
    """Return the module that a text makes, which may import what lies beside its file."""
    name = f"lrd_custom_{source.code}"
    if known := sys.modules.get(name):  # another class of the same text
        return known
    import_beside(file)
    try:
        return run_as_module(file, source.text, name)
    except SyntaxError as error:
        raise CustomError(f"{file.name}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # whatever a stranger's file dies of
        raise CustomError(f"{file.name}, line {line_in(error, file) or 0}: {named(error)}") from error
