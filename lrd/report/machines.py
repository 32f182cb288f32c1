"""Versions and machines that the runs of a study were trained with, from the environment.json of every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lrd.records import RecordError, Study, read_object
from lrd.records.schema import ENVIRONMENT
from lrd.report.table import Table, table, whole

_VERSIONS = ("lrd", "commit", "python", "torch", "cuda", "numpy")
_MACHINES = ("host", "device_name", "device", "threads", "platform")
MOST = 40  # rows of a table: a cluster has many hosts


def environments(study: Study) -> dict[str, dict[str, Any]]:
    """Return the environment.json of each run, by run id; ``{}`` where it is missing or cannot be read."""
    found = {}
    for (run_id,) in study.sql("select run_id from runs order by run_id").fetchall():
        try:
            value = read_object(study.folder(run_id) / ENVIRONMENT)
        except (FileNotFoundError, RecordError):
            value = {}
        found[run_id] = value
    return found


def machines(found: Mapping[str, Mapping[str, Any]]) -> tuple[Table, Table]:
    """Return two tables, with a row for each combination of versions and for each machine that occurs.

    A run that was continued elsewhere counts in every row that it was trained in.

    Args:
        found: the environment of each run, by run id (``environments``).
    """
    versions, places = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for latest in found.values():
        attempts = attempts_of(latest)
        versions.update({tuple(_said(each, name) for name in _VERSIONS) for each in attempts})
        places.update({tuple(_said(each, name) for name in _MACHINES) for each in attempts})
    silent = sum(not latest for latest in found.values())
    unknown = [("not known", *[""] * 4, whole(silent))] if silent else []
    return (
        table("Versions", (*_VERSIONS, "runs"), _lines(versions), {len(_VERSIONS)}, MOST),
        table(
            "Machines",
            ("host", "processor", "device", "threads", "system", "runs"),
            _lines(places) + unknown,
            {3, len(_MACHINES)},
            MOST,
        ),
    )


def attempts_of(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the environment of each attempt at a run, the last one first, from that of the run."""
    earlier = environment.get("earlier")
    attempts = [environment, *(earlier if isinstance(earlier, list) else [])]
    return [each for each in attempts if isinstance(each, dict) and each]


def _said(environment: Mapping[str, Any], name: str) -> str:
    value = environment.get(name)
    if name == "commit":
        changed = " with changes" if environment.get("dirty") else ""
        return f"{str(value)[:12]}{changed}" if value else "–"
    return "–" if value is None else str(value)


def _lines(tally: Mapping[tuple[str, ...], int]) -> list[tuple[str, ...]]:
    return [(*row, whole(count)) for row, count in sorted(tally.items(), key=lambda item: (-item[1], item[0]))]
