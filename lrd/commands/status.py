"""``lrd status``: how a study stands, from its records alone."""

from __future__ import annotations

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Print what is done, running, failed and diverged, and how long the rest takes."""
    from lrd.records import RecordError, open_study
    from lrd.sweeps import standing, tables

    given = study_parser("status").parse_args(arguments)
    try:
        study = open_study(given.study)
    except RecordError as error:
        return fail(str(error))
    found = standing.holders(study)
    print(tables.states(study))
    print(standing.to_go(study, found))
    print(standing.NOT_BEGUN)
    for line in [*(each.line for each in found), *standing.unheld(study, found)]:
        print(line)
    for run_id, message in study.sql("select run_id, message from runs where state = 'failed' limit 5").fetchall():
        print(f"failed: {run_id}: {message}")
    for problem in study.check():
        print(f"left out: {problem}")
    return 0
