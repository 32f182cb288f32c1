"""``lrd sample``: text from trained character models."""

from __future__ import annotations

import math
import sys
from typing import Any

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Print a text of some runs of a study, each under a line that names its run.

    Args:
        arguments: of the command line, after ``sample``.

    Returns:
        The exit status: 0 where every run asked for has its text, 1 where some have none, 2 for a wrong command line.
    """
    parser = study_parser("sample")
    parser.add_argument("--where", default="true", help="which runs, in SQL: \"cell = 'lstm' and seed = 0\"")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="so many of them at most (default: 3)")
    parser.add_argument("--prime", default="\n", help="what the network reads first (default: an end of line)")
    parser.add_argument("--temperature", type=float, default=1.0, help="0: always the likeliest character (default: 1)")
    parser.add_argument("--length", type=int, default=500, help="characters to print after the prime (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default: 0)")
    parser.add_argument("--trust", action="store_true", help="run code in records that you did not train here, too")
    given = parser.parse_args(arguments)
    if wrong := _wrong(given):
        return fail(wrong)
    return _sample(given)


def _wrong(given: Any) -> str:
    """Return a line about the first number that cannot be used; empty where all can."""
    if not (math.isfinite(given.temperature) and given.temperature >= 0):
        return f"--temperature: must be a finite number >= 0, got {given.temperature}"
    for name in ("length", "runs"):
        if getattr(given, name) < 1:
            return f"--{name}: must be >= 1, got {getattr(given, name)}"
    if not given.prime:
        return "--prime: must have at least one character"
    if not 0 <= given.seed < 2**63:
        return f"--seed: must be >= 0 and < 2^63, got {given.seed}"
    return ""


def _sample(given: Any) -> int:
    from lrd.records import RecordError, RunRecord, open_study
    from lrd.sweeps.probing import refuse_foreign_code

    try:
        study = open_study(given.study)
        chosen = set(study.where(given.where))
        # Of several cells each has its turn, rather than all seeds of the first.
        query = "select run_id, coalesce(cell_label::varchar, cell) as label, cell_name from runs"
        rows = study.sql(f"{query} order by seed, gap, run_id").fetchall()
        labels = {run_id: f", {label}" if label != name else "" for run_id, label, name in rows}  # if they say more
        matching = [run_id for run_id in labels if run_id in chosen]
        run_ids = matching[: given.runs]
        if not given.trust:
            refuse_foreign_code(study, run_ids)
    except RecordError as error:
        return fail(str(error))
    if not run_ids:
        return fail(f"no run of {given.study} meets the condition {given.where!r}")
    if len(matching) > len(run_ids):
        print(f"{len(matching)} runs match, {given.runs} of them shown: --where or --runs choose", file=sys.stderr)
    reasons: dict[str, list[str]] = {}
    for run_id in run_ids:
        if reason := _print(RunRecord(study.path.parent, study.path.name, run_id), labels[run_id], given):
            reasons.setdefault(reason, []).append(run_id)
    for reason, those in reasons.items():
        print(f"lrd: {', '.join(those)}: {reason}", file=sys.stderr)
    return 1 if reasons else 0


def _print(record: Any, label: str, given: Any) -> str:
    """Print the text of one run under its name and label; return the reason where there is none."""
    from lrd.options import OptionError
    from lrd.records import RecordError
    from lrd.spec import SpecError, run_from_dict
    from lrd.tasks import Text
    from lrd.training.sampling import sample
    from lrd.training.trained import trained_parameters

    try:
        kept = record.read_run()
        spec = run_from_dict(kept["spec"], kept.get("sources", {}))
        if not isinstance(spec.task, Text):
            return f"the task is {spec.task.name}; only runs of task=text can be sampled"
        params, update = trained_parameters(record, spec)
        how = (given.prime, given.length, given.temperature, given.seed)
        text = sample(spec.task, spec.cell, params, *how)
    except OptionError as error:
        return f"--{error.key}: {error.message}"
    except (RecordError, SpecError, ArithmeticError) as error:
        return str(error).splitlines()[0]
    print(f"== {record.path.name}{label}, update {update}\n{given.prime}{text}\n", flush=True)
    return ""
