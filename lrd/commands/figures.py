"""``lrd figures``: every figure of a study, by the scripts of ``analysis/``, or figures of the user's own."""

from __future__ import annotations

import sys

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Draw every figure of a study from its records, or those of the scripts that are given; return the exit status.

    Args:
        arguments: The words of the command line after ``lrd figures``.
    """
    from lrd.figures import FigureOptionError, FigureScriptError, draw_all
    from lrd.figures.figure_options import add_options, study_and_options
    from lrd.figures.scripts import LEAD, load_own_script
    from lrd.records import RecordError

    parser = study_parser("figures")
    add_options(parser)
    own = "a figure script of your own to draw instead of all figures (again for more)"
    parser.add_argument("--script", metavar="FILE", action="append", default=[], help=own)
    given = parser.parse_args(arguments)
    try:
        scripts = [load_own_script(file) for file in given.script]
        study, options = study_and_options(given, ("lrd", "figures"))
        out = given.out or given.study / "figures"
        drawn = draw_all(study, out, options, scripts)
    except FigureScriptError as error:
        print(f"lrd: {error}", file=sys.stderr)
        return 1
    except (FigureOptionError, RecordError, OSError) as error:
        return fail(str(error))
    if LEAD in drawn.figures:
        print(f"see first: {out / f'{LEAD}.png'}")
    if drawn.figures:
        count = f"{len(drawn.figures)} figure{'s' if len(drawn.figures) > 1 else ''}"
        print(f"{count} in {out}, each as PDF, PNG, CSV (its numbers) and JSON (of which runs)")
    for name in drawn.figures if scripts else ():
        print(f"  {name}")
    for name, reason in drawn.missing.items():
        print(f"lrd: not drawn: {name}: {reason}", file=sys.stderr)
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    for name, reason in drawn.failed.items():
        print(f"lrd: failed: {name}: {reason}", file=sys.stderr)
    undrawn = drawn.failed or (scripts and drawn.missing)
    return 0 if drawn.figures and not undrawn else 1
