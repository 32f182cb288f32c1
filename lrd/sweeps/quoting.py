"""Quotes around an override: in Hydra's quotes where its grammar cannot read the value, and then in the shell's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

_KEY = re.compile(r"[+~]{0,2}[\w./@:-]+")


def readable(text: str) -> bool:
    """Return whether Hydra's grammar reads an override."""
    try:
        OverridesParser.create().parse_override(text)
    except HydraException:
        return False
    return True


def hydra_quoted(value: str) -> str:
    """Return the value as Hydra reads a text: whatever it holds, it means itself."""
    literal = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)  # no interpolation
    return QuotedString(literal, Quote.double).with_quotes()


def in_quotes(argument: str, sweeps: bool = False) -> str:
    """Return the word to type in a shell for an override whose value is a text: ``'study="été"'``.

    Args:
        argument: the override, as it was typed.
        sweeps: whether commas stand between several values; the value is one text otherwise.
    """
    key, _, value = argument.partition("=")
    values = value.split(",") if sweeps else [value]
    return shlex.quote(f"{key}={','.join(hydra_quoted(each) for each in values)}")


def unreadable(
    text: str, arguments: Sequence[str], sweeps: bool, takes_text: bool, options: Collection[str] = ()
) -> str:
    """Return what to do about an override that Hydra's grammar cannot read.

    Args:
        text: the override.
        arguments: the command line that it is one of.
        sweeps: whether the command line sweeps, so that commas separate values.
        takes_text: whether its option may hold a text.
        options: what cannot be the end of a value that the shell has cut at a space.
    """
    said = f"cannot read the override {text!r}: "
    whole = _before_the_shell(text, arguments, options)
    if whole != text and whole.isprintable() and readable(whole):
        return f"{said}write option=value without spaces, or the whole in quotes, {shlex.quote(whole)}"
    text = whole
    key, equals, value = text.partition("=")
    values = value.rstrip(",")
    if values and values != value and value[:1] not in ("[", "{") and (sweeps or not takes_text):
        return f"{key}: there is no value behind the last comma; write {key}={values}"
    if not equals or not takes_text or not _KEY.fullmatch(key) or not text.isprintable():
        return f"{said}write option=value, for example task.gap=100"
    if value[:1] in ("[", "{"):
        return f"{said}a bracket is not closed; a text needs quotes, {in_quotes(text)}"
    return f"{said}such a value needs quotes, {in_quotes(text, sweeps and ',' in value)}"


def _before_the_shell(text: str, arguments: Sequence[str], options: Collection[str]) -> str:
    """Return the override of which ``text`` is a part, if a shell has cut it at its spaces; ``text`` if it has not."""

    def continues(argument: str) -> bool:
        return "=" not in argument and not argument.startswith(("-", "~")) and argument not in options

    if text not in arguments:
        return text
    first = last = arguments.index(text)
    while first > 0 and continues(arguments[first]):
        first -= 1
    while last + 1 < len(arguments) and continues(arguments[last + 1]):
        last += 1
    return " ".join(arguments[first : last + 1]) if "=" in arguments[first] else text


def with_quotes(message: str, arguments: Iterable[str], sweeps: bool) -> str:
    """Return an error's lines, those of texts that were read as something else with the override to type instead."""
    typed = {text.partition("=")[0].lstrip("+"): text for text in arguments}
    lines = []
    for line in message.splitlines():
        key, wrong, _ = line.partition(": input should be a valid string, got ")
        argument = typed.get(key, "")
        hint = wrong and "=" in argument and argument.isprintable()
        several = sweeps and "," in argument and "[" not in argument
        lines.append(f"{line}; as a text, {in_quotes(argument, several)}" if hint else line)
    return "\n".join(lines)
