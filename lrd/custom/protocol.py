"""Protocols: what a cell, task or probe that joins lrd promises, line by line, and how a broken promise is reported."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lrd.one_line import one_line
from lrd.options import OptionError

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
        called(1, "the class", _check_derived, kind, self.base)
        called(2, "the class", _check_name, kind)
        called(2, "the class", self.further, kind)

    def check(self, kind: type) -> list[str]:
        """Hold a class with its default options to every line.

        Returns:
            Remarks, each one line: what is allowed and yet worth knowing.

        Raises:
            ProtocolError: the first line that is broken.
        """
        self.check_class(kind)
        return list(called(1, "the check", self.checks, _with_defaults(kind)))


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


def _with_defaults(kind: type) -> Any:
    """Return an instance with default options, which must lie within their own bounds and choices."""
    try:
        return called(1, "a call without options", kind)
    except ProtocolError as error:
        if isinstance(error.__cause__, OptionError):
            message = f"the default of the option {error.__cause__.key} {error.__cause__.message}"
            raise ProtocolError(1, one_line(message)) from error
        raise


def called(line: int, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the class under check, or a part of the check that may fail where a class is odd.

    Args:
        line: the line of the protocol that an exception breaks.
        what: name of the function, or of what is tried, for the message.
        function: what is called.
        arguments: of the call.

    Returns:
        What the function returns.

    Raises:
        ProtocolError: the function raised, whatever it was; one of its own is handed on.
    """
    try:
        return function(*arguments)
    except ProtocolError:
        raise
    except (Exception, SystemExit) as error:  # whatever a stranger's code dies of
        raise ProtocolError(line, f"{what} raised {named(error)}{place_of(error)}") from error


def named(error: BaseException) -> str:
    """Return an exception's class and what it says, in one line."""
    if isinstance(error, SystemExit):
        return one_line(f"SystemExit: {error}, which would end lrd")
    return one_line(f"{type(error).__name__}: {error}")


def type_of(value: object) -> str:
    """Return "None", or the type of a value with its article, for the end of a message."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def place_of(error: BaseException) -> str:
    """Return " (line N)" of the class's own file where an exception came from, or "" where it came from elsewhere."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    own = [frame for frame in frames if frame.frame.f_globals.get("__name__", "").startswith("lrd_custom_")]
    return f" (line {own[-1].lineno})" if own else ""
