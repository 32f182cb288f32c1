"""``lrd status``: how a study stands, from its records alone."""

from __future__ import annotations

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """What is done, running, failed, diverged."""
    from lrd.records import RecordError, open_study
    from lrd.sweeps import tables

    given = study_parser("status").parse_args(arguments)
    try:
        study = open_study(given.study)
    except RecordError as error:
        return fail(str(error))
    print(tables.states(study))
    for line in tables.claims(study):
        print(line)
    for run_id, message in study.sql("select run_id, message from runs where state = 'failed' limit 5").fetchall():
        print(f"failed: {run_id}: {message}")
    for problem in study.check():
        print(f"left out: {problem}")
    return 0
