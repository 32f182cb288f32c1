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
        drawn, missing = common.draw_all(study, given.out or given.study / "figures", how)
    except (asked.AskedError, RecordError, OSError) as error:
        return fail(str(error))
    for path in drawn:
        print(path)
    for line in missing:
        print(f"lrd: not drawn: {line}", file=sys.stderr)
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    return 0 if drawn else 1
