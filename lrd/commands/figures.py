"""``lrd figures``: every figure of a study, by the scripts of ``analysis/``."""

from __future__ import annotations

import sys

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Draw every figure of a study from its records."""
    from lrd.paths import analysis_module
    from lrd.records import RecordError

    asked, common = analysis_module("asked"), analysis_module("common")
    parser = study_parser("figures")
    asked.add_options(parser)
    given = parser.parse_args(arguments)
    try:
        study, how = asked.read(given, ("lrd", "figures"))
        out = given.out or given.study / "figures"
        drawn = common.draw_all(study, out, how)
    except (asked.AskedError, RecordError, OSError) as error:
        return fail(str(error))
    if drawn.figures:
        print(f"figures in {out}, each as PDF, PNG, CSV (its numbers) and JSON (of which runs):")
    for name in drawn.figures:
        print(f"  {name}")
    for line in drawn.missing:
        print(f"lrd: not drawn: {line}", file=sys.stderr)
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    for line in drawn.failed:
        print(f"lrd: failed: {line}", file=sys.stderr)
    return 0 if drawn.figures and not drawn.failed else 1
