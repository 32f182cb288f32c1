"""What a class that joins lrd promises, line by line, and how a broken promise is told."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 64  # letters: a run's folder is named after its cell and task
#: Names of options that say where the class comes from.
RESERVED = ("name", "path", "code")


class ProtocolError(ValueError):
    """A class broke a line of its protocol. ``line`` counts from 1; the message says how."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Protocol:
    """``lines``: what ``base`` asks of a subclass; ``checks`` holds one of its own options to them.

    A check raises ``ProtocolError`` and returns remarks: what is allowed and yet worth knowing.
    """

    base: type
    lines: tuple[str, ...]
    checks: Callable[[Any], list[str]]

    def check(self, kind: type) -> list[str]:
        """Hold a class with its default options to every line; returns remarks. Raises ``ProtocolError``."""
        check_class(kind, self.base)
        return self.checks(kind())


def check_class(kind: object, base: type) -> None:
    """Lines 1 and 2, which need no instance. Raises ``ProtocolError``."""
    if not (inspect.isclass(kind) and issubclass(kind, base)):
        raise ProtocolError(1, f"it is not derived from lrd.{base.__name__.lower()}s.{base.__name__}")
    if not (dataclasses.is_dataclass(kind) and "__dataclass_params__" in vars(kind)):
        raise ProtocolError(1, "@dataclass(frozen=True) is missing above the class")
    for field in dataclasses.fields(kind):
        if "per_run" not in field.metadata:
            raise ProtocolError(1, f"{field.name} is no option: write {field.name}: ... = option(default, 'help')")
        if field.default is dataclasses.MISSING:
            raise ProtocolError(1, f"the option {field.name} has no default")
        if field.name in RESERVED:
            raise ProtocolError(1, f"an option cannot be called {field.name}")
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ProtocolError(2, f"`name` must be made of letters, digits and _, got {name!r}")
    if len(name) > LONGEST_NAME:
        raise ProtocolError(2, f"`name` must have at most {LONGEST_NAME} letters, got {len(name)}")
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise ProtocolError(2, f"it lacks {missing}")


def called(line: int, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result; what it raises breaks that line."""
    try:
        return function(*arguments)
    except Exception as error:  # whatever a stranger's code dies of
        message = " ".join(str(error).split())
        raise ProtocolError(line, f"{what} raised {type(error).__name__}: {message}{_where(error)}") from error


def _where(error: BaseException) -> str:
    """The place in the class's own file, the last one that is not a library's."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    own = [frame for frame in frames if frame.frame.f_globals.get("__name__", "").startswith("lrd_custom_")]
    return f" (line {own[-1].lineno})" if own else ""
