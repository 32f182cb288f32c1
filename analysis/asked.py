"""The options with which figures are asked for, the same for every script and for ``lrd figures``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drawing import Asked
from settings import AskedError, style_of, width_in_words, width_of

from lrd.records import combine_studies, open_study

__all__ = ["Asked", "AskedError", "add_options", "of_study", "read"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``, ``--filter``, ``--compare``, ``--style`` and ``--width`` to a parser."""
    parser.add_argument("--out", type=Path, help="folder for the files (default: figures/ inside the study)")
    parser.add_argument("--filter", metavar="SQL", help="of which runs: \"cell = 'lstm' and gap >= 50\"")
    further = "a further study to draw in the same figures (again for more)"
    parser.add_argument("--compare", metavar="STUDY", type=Path, action="append", default=[], help=further)
    parser.add_argument("--style", default="paper", help="paper (default), talk, grey or a matplotlib style file")
    parser.add_argument("--width", help="single (3.4 in), double (7.0 in) or inches (default: by the panels)")


def read(given: argparse.Namespace, program: Sequence[str], **options: Any) -> tuple[Any, Asked]:
    """The study to draw, of one or several, and how figures of it are asked for.

    ``program`` is what the command begins with and ``options`` what a script has beyond those of all.

    Raises:
        AskedError, RecordError: a value that cannot be used; one line.
    """
    style, width = style_of(given.style), width_of(given.width)
    study = combine_studies([open_study(path, given.filter) for path in (given.study, *given.compare)])
    command = [*program, *study.names[:1]]
    for name in study.names[1:]:
        command += ["--compare", name]
    values = {"filter": given.filter, "style": style.name if given.style != "paper" else None}
    values |= {"width": None if width is None else width_in_words(width)} | options
    command += [word for name, value in values.items() if value is not None for word in (f"--{name}", str(value))]
    return study, Asked(style, width, tuple(command))


def of_study(path: Path, condition: str | None, program: Sequence[str]) -> tuple[Any, Asked]:
    """One study, or those of its runs that meet a condition, and its figures as a paper has them; as for ``read``."""
    plain = argparse.ArgumentParser()
    add_options(plain)
    given = plain.parse_args([])
    given.study, given.filter = path, condition
    return read(given, program)
