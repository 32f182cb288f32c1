"""The options of every figure: ``--out``, ``--filter``, ``--compare``, ``--style`` and ``--width``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.figures.errors import FigureOptionError
from lrd.figures.styles import PAPER, Style, style_of, width_in_words, width_of
from lrd.records import combine_studies, open_study


@dataclass(frozen=True)
class FigureOptions:
    """The style and width of figures, and the command that draws them, for their manifests.

    The command leaves out what does not change a figure.
    """

    style: Style = PAPER
    width: float | None = None  # inches; None: one column for one panel a row, else two
    command: tuple[str, ...] = ()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every figure to a parser."""
    parser.add_argument("--out", type=Path, help="folder for the files (default: figures/ inside the study)")
    parser.add_argument("--filter", metavar="SQL", help="of which runs: \"cell = 'lstm' and gap >= 50\"")
    further = "a further study to draw in the same figures (again for more)"
    parser.add_argument("--compare", metavar="STUDY", type=Path, action="append", default=[], help=further)
    parser.add_argument("--style", default="paper", help="paper (default), talk, grey or a matplotlib style file")
    parser.add_argument("--width", help="single (3.4 in), double (7.0 in) or inches (default: by the panels)")


def check_out(out: Path | None) -> None:
    """Check that a folder for files can be one; None is for the default.

    Raises:
        FigureOptionError: It, or a folder that it would lie in, is a file.
    """
    for path in () if out is None else (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise FigureOptionError(f"--out: {path} is a file; give a folder, which is made where there is none")


def study_and_options(given: argparse.Namespace, program: Sequence[str], **own: Any) -> tuple[Any, FigureOptions]:
    """Open the studies of a command line as one, and return it with the options of its figures.

    Args:
        given: What was parsed: ``study`` and the options of ``add_options``.
        program: What the command begins with, such as ``("lrd", "figures")``.
        own: Values of the options that a script has beyond those of every figure, for the command in the manifest.

    Raises:
        FigureOptionError: The style or width does not exist, or ``--out`` is a file.
        RecordError: A study cannot be opened, or the condition of ``--filter`` cannot be used.
    """
    check_out(given.out)
    style, width = style_of(given.style), width_of(given.width)
    study = combine_studies([open_study(path, given.filter) for path in (given.study, *given.compare)])
    command = [*program, *study.names[:1]]
    for name in study.names[1:]:
        command += ["--compare", name]
    values = {"filter": given.filter, "style": style.name if given.style != "paper" else None}
    values |= {"width": None if width is None else width_in_words(width)} | own
    command += [word for name, value in values.items() if value is not None for word in (f"--{name}", str(value))]
    return study, FigureOptions(style, width, tuple(command))


def study_on_paper(path: Path, condition: str | None, program: Sequence[str]) -> tuple[Any, FigureOptions]:
    """Open one study, and return it with the options of figures in a paper.

    Args:
        path: Folder of the study.
        condition: SQL that says which of its runs are drawn; None for all.
        program: What the command begins with, such as ``("lrd", "report")``.

    Raises:
        RecordError: The study cannot be opened, or the condition cannot be used.
    """
    plain = argparse.ArgumentParser()
    add_options(plain)
    given = plain.parse_args([])
    given.study, given.filter = path, condition
    return study_and_options(given, program)
