"""``lrd figures``: every figure of a study, by the scripts of ``analysis/``."""

from __future__ import annotations

import sys
from pathlib import Path

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Draw every figure of a study from its records."""
    from lrd.paths import analysis_module
    from lrd.records import RecordError, open_study

    parser = study_parser("figures")
    parser.add_argument("--out", type=Path, help="folder for the files (default: figures/ inside the study)")
    parser.add_argument("--filter", help="of which runs, in SQL: \"cell = 'lstm' and gap >= 50\"")
    given = parser.parse_args(arguments)
    common = analysis_module("common")
    try:
        study = open_study(given.study, given.filter)
        drawn, missing = common.draw_all(study, given.out or given.study / "figures")
    except (RecordError, OSError) as error:
        return fail(str(error))
    for path in drawn:
        print(path)
    for line in missing:
        print(f"lrd: not drawn: {line}", file=sys.stderr)
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    return 0 if drawn else 1
