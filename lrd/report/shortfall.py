"""What is missing from a study: runs that failed, diverged or have not ended, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lrd.records import Study
from lrd.report.machines import attempts_of
from lrd.report.runs import in_order, rows
from lrd.report.table import Table, spelled, table, whole

MOST = 30  # rows of each table: the rest is counted
LONGEST = 400  # characters of a message

_FAILED = """
select coalesce(message, ''), count(*), min(run_id) from named where state = 'failed' group by all order by 2 desc, 1
"""
_DIVERGED = """
select panel, gap, label, count(*), min(diverged_at), max(diverged_at)
from named where outcome = 'diverged' group by all order by all
"""
_UNFINISHED = """
select panel, gap, label, state, count(*), sum(coalesce("update", 0)), sum(max_updates)
from named where state in ('running', 'interrupted') group by all order by all
"""


def shortfall(study: Study, made: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> list[Table]:
    """Return a table for each kind of thing that is missing; none where nothing is.

    Args:
        study: as opened.
        made: the environment of each run, by run id (``lrd.report.machines.environments``).
    """
    failed = [
        (_cut(message) or "no reason was kept", whole(count), run_id) for message, count, run_id in rows(study, _FAILED)
    ]
    diverged = [
        (str(panel), spelled(gap), str(label), whole(count), _between(first, last))
        for panel, gap, label, count, first, last in in_order(rows(study, _DIVERGED))
    ]
    unfinished = [
        (str(panel), spelled(gap), str(label), state, whole(count), whole(int(done)), _at_most(given))
        for panel, gap, label, state, count, done, given in in_order(rows(study, _UNFINISHED))
    ]
    left_out = [(_cut(text),) for text in sorted({each.replace(f"{study.path}/", "") for each in study.check()})]
    tables = [
        table("Runs that failed, by reason", ("reason", "runs", "for example"), failed, (1,), MOST),
        table("Runs that diverged", ("task", "gap", "cell", "runs", "at update"), diverged, (1, 3, 4), MOST),
        table(
            "Runs that have not ended",
            ("task", "gap", "cell", "state", "runs", "updates done", "of at most"),
            unfinished,
            (1, 4, 5, 6),
            MOST,
        ),
        table("Runs trained by code that is not known", ("why", "runs", "for example"), _unknown(made), (1,), MOST),
        table("Files and folders that were left out", ("what and why",), left_out, (), MOST),
    ]
    return [each for each in tables if each.rows]


def _unknown(made: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return why it is not known which commit trained runs, with how many runs that is so of, and one of them."""
    runs: dict[str, list[str]] = {}
    for run_id, environment in made.items():
        reasons = [str(each.get("commit_unknown") or "") for each in attempts_of(environment)]
        for reason in dict.fromkeys(reasons or ["environment.json is missing or cannot be read"]):
            runs.setdefault(reason, []).append(run_id)
    return [(_cut(reason), whole(len(of)), min(of)) for reason, of in sorted(runs.items()) if reason]


def _cut(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _between(first: int | None, last: int | None) -> str:
    if first is None:
        return "–"
    return whole(first) if first == last else f"{whole(first)} to {whole(last or first)}"


def _at_most(updates: float | None) -> str:
    return "–" if updates is None else whole(int(updates))
