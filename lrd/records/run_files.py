"""Reading the JSON files of a run, with their types checked, and the state of the run that they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrd.records import schema
from lrd.records.files import RecordError, read_json
from lrd.records.process import alive
from lrd.records.type_checks import mismatch


def state_of(status: Mapping[str, Any] | None, finished: bool) -> str:
    """Return the state of a run, one of ``schema.STATES``.

    A run is interrupted, whatever its status says, if it stopped before its first status or before its summary, or if
    the process that said "running" is gone from this host. A process on another host is believed.

    Args:
        status: content of status.json; None where there is none.
        finished: whether the run has a summary.json.
    """
    if finished:
        return "finished"
    if status is None or status.get("state") not in ("running", "failed"):
        return "interrupted"
    if status["state"] == "running" and alive(status) is False:
        return "interrupted"
    return str(status["state"])


def read_object(path: Path) -> dict[str, Any]:
    """Read one of the JSON files of a run: an object whose values have the types that the schema declares.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: the file cannot be read, or is damaged.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise RecordError(f"cannot read {path}: it is damaged (not a JSON object)")
    if said := mismatch(value, schema.DOCUMENTS.get(path.name, schema.ANY)):
        raise RecordError(f"cannot read {path}: it is damaged ({said})")
    if path.name == schema.SUMMARY and value.get("update") is None:
        raise RecordError(f"cannot read {path}: it is damaged (its update is missing)")
    return value
