"""A class out of a researcher's file: ``my_cell.py:MyCell``.

The class is what its text says: a run's id holds a digest of it, its record the whole of it, and wherever the run is
trained or looked at again, the class is made from that text and not from whatever the file says by then. What the
file itself imports from its own folder is not part of the text.
"""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from lrd.custom.protocol import ProtocolError
from lrd.custom.protocols import PROTOCOLS
from lrd.options import nearest
from lrd.user_files import path_of, read_user_text


class CustomError(ValueError):
    """A class that cannot be had; the message is one line that names the file."""


@dataclass(frozen=True)
class Source:
    """Where a class comes from: ``path`` is FILE:CLASS (the file absolute), ``text`` the whole file.

    ``in_file``: False for that of an installed package, which is found again by its name.
    """

    path: str
    text: str
    in_file: bool = True

    @cached_property
    def code(self) -> str:
        """The name of the text: equal for the same text only."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


_SOURCES: dict[type, Source] = {}


def source_of(kind: type) -> Source | None:
    """Where a class was loaded from; None for those of lrd itself."""
    return _SOURCES.get(kind)


def note(kind: type, source: Source) -> None:
    """Remember where a class comes from."""
    _SOURCES[kind] = source


def load(group: str, path: str, text: str | None = None) -> type:
    """The class that ``FILE:CLASS`` names, a cell or a task by ``group``; from ``text``, if given, and not the file.

    Raises:
        CustomError: there is no such file or class, it cannot be run, or it is no cell (task).
    """
    file, _, name = path.rpartition(":")
    if not file or not name.isidentifier():
        raise CustomError(f"must name a file and a class in it, such as my_{group}.py:My{group.title()}, got {path!r}")
    where = path_of(file).absolute()
    if text is None:
        try:
            text = read_user_text(where)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise CustomError(f"cannot read {file}: {reason}") from error
    return _load(group, f"{where}:{name}", text)


@lru_cache(maxsize=256)
def _load(group: str, path: str, text: str) -> type:
    source, (file, _, name) = Source(path, text), path.rpartition(":")
    module = _module(source, Path(file))
    kind = vars(module).get(name)
    if kind is None:
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise CustomError(f"{Path(file).name} has no class {name}{nearest(name, classes)}")
    try:
        PROTOCOLS[group].check_class(kind)
    except ProtocolError as error:
        raise CustomError(f"{Path(file).name}:{name}: {error} (`lrd check` shows the protocol)") from error
    assert isinstance(kind, type)
    note(kind, source)
    return kind


def _module(source: Source, file: Path) -> types.ModuleType:
    """The module that a text makes. It may import what lies beside its file."""
    module = types.ModuleType(f"lrd_custom_{source.code}")
    if known := sys.modules.get(module.__name__):  # another class of the same text
        return known
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses look their own module up
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    try:
        exec(compile(source.text, str(file), "exec"), vars(module))
    except SyntaxError as error:
        del sys.modules[module.__name__]
        raise CustomError(f"{file.name}, line {error.lineno}: {error.msg}") from error
    except Exception as error:  # whatever a stranger's file dies of
        del sys.modules[module.__name__]
        raise CustomError(f"{file.name}, line {_line(error, file)}: {type(error).__name__}: {error}") from error
    return module


def _line(error: BaseException, file: Path) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(file) else line
        trace = trace.tb_next
    return line
