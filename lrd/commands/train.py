"""``lrd train``: compose, plan, run, and say how it ended."""

from __future__ import annotations

import sys
from contextlib import suppress

from lrd.commands import fail
from lrd.commands.composed import composed
from lrd.sweeps.lossy_output import lossy_output


@lossy_output()
def run(arguments: list[str]) -> int:
    """Train one run, a sweep or a study."""
    work = composed(arguments, trains=True)
    if isinstance(work, int):
        return work

    from lrd.findings import (
        check_hypotheses,
        read_hypotheses,
        read_paper,
        verdict_line,
        verdict_table,
        write_hypotheses,
    )
    from lrd.records import RecordError, open_study
    from lrd.spec import SpecError
    from lrd.sweeps import tables
    from lrd.sweeps.asides import take_over
    from lrd.sweeps.execute import execute, failures
    from lrd.sweeps.launchers import Slurm

    try:
        for folder in work.plan.folders if work.hypotheses else ():
            write_hypotheses(folder, work.hypotheses, work.paper)
        taken_over = take_over(work.plan.finished)
    except RecordError as error:
        return fail(str(error))
    print(work.headline, flush=True)
    for option, count in taken_over.items():
        print(f"{option}: updated in the records of {count} finished run{'s' if count > 1 else ''}", flush=True)
    cluster = work.launcher if isinstance(work.launcher, Slurm) else None
    try:
        progress = execute(work.plan, work.workers, work.launcher.retries, cluster)
    except SpecError as error:  # the cluster refused what it had allowed a moment ago
        return fail(str(error))
    for folder in work.plan.folders:
        with suppress(RecordError):  # a sweep that was stopped, or failed, before its first record
            study = open_study(folder)
            print(f"\n{tables.results(study)}\n")
            more = ""
            if work.hypotheses and not progress.interrupted:
                findings = check_hypotheses(read_hypotheses(folder), study)
                print(verdict_table(findings))
                if paper := read_paper(folder):
                    print(verdict_line(paper, findings))
                more = f"verdicts: lrd hypotheses {folder}    "
            print(f"records: {folder}    {more}figures: lrd figures {folder}")
    for line in failures(progress):
        print(f"lrd: {line}", file=sys.stderr)
    if progress.interrupted:
        print(work.launcher.interrupted, file=sys.stderr)
        return 130
    return 1 if progress.failures else 0
