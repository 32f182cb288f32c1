"""The command line of a figure script that is run as a program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrd.figures.errors import FigureOptionError, NothingToDrawError
from lrd.figures.figure_options import add_options, study_and_options
from lrd.figures.script_protocol import FigureScript
from lrd.printing import print_anything
from lrd.records import RecordError


def main(
    draw: FigureScript,
    description: str | None,
    arguments: Sequence[str] | None = None,
    **options: dict[str, Any],
) -> int:
    """Run a figure script as a program: ``STUDY``, the options of every figure and the script's own.

    Args:
        draw: What draws the figures.
        description: What ``--help`` says: the docstring of the script.
        arguments: The words of the command line after the program; None for those of this process.
        options: The script's own options by name, each as the keywords of ``ArgumentParser.add_argument``. Their
            values are handed to ``draw`` by name.

    Returns:
        The exit status: 0, 1 where nothing was drawn, 2 for an option that cannot be used.
    """
    print_anything()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a study, such as runs/demo")
    add_options(parser)
    for name, option in options.items():
        parser.add_argument(f"--{name}", **option)
    given = parser.parse_args(arguments)
    own = {name: getattr(given, name) for name in options}
    program = ("python", draw.path.name if draw.own else f"analysis/{draw.path.name}")
    try:
        changed = {name: value for name, value in own.items() if value != options[name].get("default")}
        study, how = study_and_options(given, program, **changed)
        for path in draw(study, given.out or given.study / "figures", options=how, **own):
            print(path)
        for problem in study.problems:
            print(f"left out: {problem}", file=sys.stderr)
    except FigureOptionError as error:
        print(error, file=sys.stderr)
        return 2
    except (RecordError, OSError, NothingToDrawError) as error:
        about = f"{given.study}: " if given.study.is_dir() else ""  # a study that is not there is named by the message
        print(f"{about}{error}", file=sys.stderr)
        return 1
    return 0
