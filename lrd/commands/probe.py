"""``lrd probe``: measure runs that are trained already."""

from __future__ import annotations

import sys
from typing import Any

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Measure the runs of a study at their start and end.

    Args:
        arguments: of the command line, after ``probe``.

    Returns:
        The exit status: 0 where all is measured, 1 where some runs could not be, 2 for a wrong command line.
    """
    parser = study_parser("probe")
    parser.add_argument("--at", default="start,end", help="moments: start, end or both (start,end)")
    parser.add_argument("--where", default="true", help="which runs, in SQL: \"cell = 'lstm' and gap >= 50\"")
    parser.add_argument("--trust", action="store_true", help="run code in records that you did not train here, too")
    parser.add_argument("overrides", nargs="*", metavar="probe=NAME", help="probes and their options, as for lrd train")
    given = parser.parse_intermixed_args(arguments)
    if wrong := [text for text in given.overrides if not text.startswith("probe")]:
        return fail(f"cannot use {wrong[0]!r}: lrd probe takes probe=NAME and probe.NAME.OPTION=VALUE")

    from lrd.hydra_errors import CompositionError
    from lrd.hydra_main import compose_from_command_line

    try:
        (config,) = compose_from_command_line(["tracker=none", *given.overrides]).configs
    except CompositionError as error:
        return fail(str(error))
    return _probe(given, config)


def _probe(given: Any, config: dict[str, Any]) -> int:
    import torch

    from lrd.options import not_a_choice
    from lrd.records import RecordError, open_study
    from lrd.spec import SpecError, probes_from_config
    from lrd.sweeps.probing import MOMENTS, agenda, measure
    from lrd.sweeps.sockets import NoSocketError
    from lrd.sweeps.workers import default_workers

    moments = list(dict.fromkeys(given.at.split(",")))
    if wrong := [moment for moment in moments if moment not in MOMENTS]:
        return fail(f"--at: {not_a_choice(wrong[0], MOMENTS)}")
    try:
        study = open_study(given.study)
        probes = probes_from_config(config.get("probe"))
        run_ids = study.where(given.where)
    except (RecordError, SpecError) as error:
        return fail(str(error))
    if not probes:
        return fail("probe: choose one, for example probe=parameter_gradient")
    try:
        work = agenda(study, run_ids, probes, moments, given.trust)
    except RecordError as error:
        return fail(str(error))
    for problem in work.problems:
        print(f"left out: {problem}", file=sys.stderr)
    left = sum(each.count for each in work.measurements)
    out = f", {work.left_out} left out" if work.left_out else ""
    print(f"{len(run_ids)} runs: {work.done} measurements taken before, {left} to take{out}", flush=True)
    reasons: dict[str, int] = {}
    try:
        for measured, reason in measure(work.measurements, default_workers(torch.device("cpu"))):
            if reason:
                reasons[reason] = reasons.get(reason, 0) + len(measured.specs)
    except NoSocketError as error:
        return fail(str(error))
    for reason, count in reasons.items():
        print(f"lrd: {count} runs could not be measured: {reason}", file=sys.stderr)
    tables = sorted({name for probe in probes for name in probe.tables()})
    print(f"tables: {', '.join(tables)} in {given.study}    figures: lrd figures {given.study}")
    return 1 if reasons else 0
