"""What the tables need of a study, made from its records and its file alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lrd.findings import check_hypotheses, paper_verdict, read_hypotheses
from lrd.records import Study, open_study
from lrd.report.machines import attempts_of, environments
from papers.flow import gradient_flow
from papers.numbers import rounded
from papers.plans import digest


class NotFinishedError(ValueError):
    """Records that no table can be made of; the message says in a line why."""


def planned_study(folder: Path, planned: Collection[str]) -> Study:
    """Return the runs of a study's plan; others that lie in its folder are left out.

    Args:
        folder: of the study's records.
        planned: ids of the runs that its file plans.

    Raises:
        NotFinishedError: some of them are not finished, or files in the folder are damaged.
        RecordError: there are no records.
    """
    study = open_study(folder)
    states = dict(study.sql("select run_id, state from runs").fetchall())
    if missing := {run_id for run_id in planned if states.get(run_id) != "finished"}:
        raise NotFinishedError(f"{len(missing)} of {len(planned)} runs are not finished")
    if problems := study.check():
        raise NotFinishedError(problems[0])
    if states.keys() <= set(planned):
        return study
    return study.filtered(f"run_id in ({', '.join(repr(run_id) for run_id in sorted(planned))})")


def gathered(study: Study, file: Path) -> dict[str, Any]:
    """Return the numbers of a study for the tables, floats with four digits.

    Args:
        study: the runs of its plan (``planned_study``).
        file: of the study in ``experiments/papers``, with its hypotheses.

    Raises:
        HypothesisError: the file states something that cannot be read.
    """
    findings = check_hypotheses(read_hypotheses(file), study)
    ((runs, seeds, solved, seconds),) = study.sql(
        "select count(*), count(distinct seed), avg(solved), sum(seconds) from runs"
    ).fetchall()
    made = environments(study)
    run_ids = [run_id for (run_id,) in study.sql("select run_id from runs").fetchall()]
    return {
        "verdict": paper_verdict(findings),
        "hypotheses": {
            finding.name: {key: getattr(finding, key) for key in ("says", "stated", "published", "verdict")}
            | {key: rounded(getattr(finding, key)) for key in ("estimate", "low", "high", "level")}
            | {"runs": finding.runs}
            for finding in findings
        },
        "runs": runs,
        "plan": digest(run_ids),
        "seeds": seeds,
        "solved": rounded(solved),
        "training_seconds": rounded(seconds),
        "machines": _counted(made, processor="device_name", threads="threads"),
        "versions": _counted(made, lrd="lrd", torch="torch", commit="commit", changed="dirty"),
        "gradient_flow": rounded(gradient_flow(study)),
    }


def _counted(made: dict[str, dict[str, Any]], **keys: str) -> list[dict[str, Any]]:
    """Return each combination of some keys of the runs' environments, the most frequent first, with its runs.

    A run that was continued elsewhere counts in every combination that it was trained in.
    """
    tally: Counter[tuple[Any, ...]] = Counter()
    for latest in made.values():
        tally.update({tuple(attempt.get(key) for key in keys.values()) for attempt in attempts_of(latest)})
    order = sorted(tally.items(), key=lambda item: (-item[1], str(item[0])))
    return [dict(zip(keys, values, strict=True)) | {"runs": count} for values, count in order]
