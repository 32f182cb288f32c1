"""Protocols: what a cell, task or probe that joins lrd promises, line by line, and how a broken promise is reported."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lrd.one_line import one_line

LONGEST_NAME = 64  # letters: folders and files of records are named after cells, tasks and probes
#: Names of options that say where the class comes from.
RESERVED = ("name", "path", "code")


class ProtocolError(ValueError):
    """A line of a protocol that a class broke.

    Args:
        line: number of the line, from 1.
        message: how it was broken, in one line.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Protocol:
    """The promises of one kind of class that a researcher can bring along.

    Attributes:
        base: the class that every such class is derived from.
        own: the classes that lrd itself has of the kind, by name.
        lines: the promises, in words, in the order in which they are checked.
        checks: holds an instance with default options to the lines; returns remarks, which are allowed and yet worth
            knowing; raises ``ProtocolError``.
        further: checks of the class alone, after those that all kinds share; raises ``ProtocolError``.
    """

    base: type
    own: Mapping[str, type[Any]]
    lines: tuple[str, ...]
    checks: Callable[[Any], list[str]]
    further: Callable[[Any], None] = lambda kind: None

    def check_class(self, kind: object) -> None:
        """Hold a class to what can be said without an instance.

        Raises:
            ProtocolError: the class is not derived from ``base``, is no frozen dataclass of options with defaults, has
                no usable name or lacks a method.
        """
        _check_derived(kind, self.base)
        _check_name(kind)
        self.further(kind)

    def check(self, kind: type) -> list[str]:
        """Hold a class with its default options to every line.

        Returns:
            Remarks, each one line: what is allowed and yet worth knowing.

        Raises:
            ProtocolError: the first line that is broken.
        """
        self.check_class(kind)
        return self.checks(kind())


def _check_derived(kind: object, base: type) -> None:
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


def _check_name(kind: Any) -> None:
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ProtocolError(2, f"`name` must be made of letters, digits and _, got {name!r}")
    if len(name) > LONGEST_NAME:
        raise ProtocolError(2, f"`name` must have at most {LONGEST_NAME} letters, got {len(name)}")
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        raise ProtocolError(2, f"it lacks {missing}")


def called(line: int, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the class under check.

    Args:
        line: the line of the protocol that an exception breaks.
        what: name of the function, for the message.
        function: what is called.
        arguments: of the call.

    Returns:
        What the function returns.

    Raises:
        ProtocolError: the function raised, whatever it was.
    """
    try:
        return function(*arguments)
    except Exception as error:  # whatever a stranger's code dies of
        message = one_line(str(error))
        raise ProtocolError(line, f"{what} raised {type(error).__name__}: {message}{place_of(error)}") from error


def place_of(error: BaseException) -> str:
    """Return " (line N)" of the class's own file where an exception came from, or "" where it came from elsewhere."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    own = [frame for frame in frames if frame.frame.f_globals.get("__name__", "").startswith("lrd_custom_")]
    return f" (line {own[-1].lineno})" if own else ""
