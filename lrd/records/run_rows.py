"""Rows of the table ``runs``, each made of the JSON files of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrd.records import schema
from lrd.records.files import RecordError, to_json
from lrd.records.run_files import read_object, state_of
from lrd.records.schema import RUNS_COLUMNS
from lrd.records.type_checks import mismatch

#: Types of the options that lrd's own tables and figures compute with.
_USED = {"training_max_updates": schema.COUNT, "cell_layers": schema.COUNT, "cell_bidirectional": schema.BOOLEAN}
_USED |= dict.fromkeys(
    ("cell_label", "cell_name", "cell_init", "cell_activation", "task_name", "task_convention"), schema.TEXT
)
_DECLARED = RUNS_COLUMNS | {"gap": schema.COUNT} | _USED
_NEEDED = ("task", "cell", "gap", "seed")  # every run has them; tables and figures group runs by them
_LONGEST = 1000  # characters of a column's name


def read_row(folder: Path) -> dict[str, Any]:
    """Read the row of one run from its folder.

    Raises:
        RecordError: the folder is not that of a run, is damaged, or has another schema version.
    """
    try:
        row = _read(folder)
    except RecursionError:
        raise RecordError(f"cannot read {folder / schema.RUN}: it is damaged (nested too deeply)") from None
    if missing := [name for name in _NEEDED if row[name] is None]:
        raise RecordError(f"cannot read {folder / schema.RUN}: it is damaged (its {missing[0]} is missing)")
    for name, value in row.items():
        if said := mismatch(value, _DECLARED.get(name, schema.ANY), name):
            raise RecordError(f"cannot read {folder}: it is damaged ({said})")
        if "\0" in name or len(name) > _LONGEST:
            raise RecordError(f"cannot read {folder}: it is damaged (no column can be called {name[:40]!r})")
    return row


def _read(folder: Path) -> dict[str, Any]:
    try:
        run = read_object(folder / schema.RUN)
    except FileNotFoundError:
        raise RecordError(f"{folder} is no run: it has no {schema.RUN}") from None
    if run.get("schema") != schema.SCHEMA_VERSION:
        version = run.get("schema")
        raise RecordError(f"{folder} has schema version {version!r}; this lrd reads {schema.SCHEMA_VERSION}")
    if run.get("run_id") != folder.name:  # a copied folder would count as one more seed
        raise RecordError(f"{folder} holds a run of another name, {run.get('run_id')!r}")
    summary = _optional(folder / schema.SUMMARY)
    if summary is not None and summary.get("outcome") not in schema.OUTCOMES:
        raise RecordError(f"cannot read {folder / schema.SUMMARY}: it is damaged (its outcome is missing)")
    status = _optional(folder / schema.STATUS)
    spec, task = run.get("spec"), run.get("task")
    if not isinstance(spec, dict) or not isinstance(task, dict):
        raise RecordError(f"cannot read {folder / schema.RUN}: it is damaged (spec or task is missing)")
    return _row(run, spec, task, status, summary)


def planned_row(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a run of which nothing is recorded yet.

    Args:
        run: what its run.json will hold.
    """
    return _row(run, run["spec"], run["task"], None, None)


def only_locked(folder: Path) -> bool:
    """Return whether a folder holds a run lock alone: its run has not begun yet."""
    return (folder / "claim.json").exists() and not (folder / schema.RUN).exists()


def _optional(path: Path) -> dict[str, Any] | None:
    try:
        return read_object(path)
    except FileNotFoundError:
        return None


def _row(
    run: Mapping[str, Any],
    spec: Mapping[str, Any],
    task: Mapping[str, Any],
    status: Mapping[str, Any] | None,
    summary: Mapping[str, Any] | None,
) -> dict[str, Any]:
    flat = flatten(spec)
    chance, landmarks = (
        {name: level for name, level in (task.get(levels) or {}).items() if level is not None}
        for levels in ("chance", "landmarks")
    )
    known = status or {}
    row: dict[str, Any] = {
        "run_id": run["run_id"],
        "study": run.get("study"),
        "state": state_of(status, summary is not None),
        "update": known.get("update"),
        "max_updates": known.get("max_updates"),
        "message": known.get("message"),
        **{name: known.get(name) for name in ("seconds", *schema.HOW)},
        "task": flat.get("task_name", flat.get("task")),
        "cell": flat.get("cell_name", flat.get("cell")),
        "gap": flat.get("task_gap"),
        "convention": flat.get("task_convention"),
        "seed": flat.get("seed"),
        "hidden_size": flat.get("cell_hidden_size"),
        "sequence_length": task.get("sequence_length"),
        "smallest_lag": task.get("smallest_lag"),
        "largest_lag": task.get("largest_lag"),
        "chance_loss": chance.get("loss"),
        "criterion": task.get("criterion"),
        "parameters": run.get("parameters"),
        "log10_sequences": task.get("log10_sequences"),
        "seen_share": None,
        "seen_counted": None,
        "chance": to_json(chance),
        "landmarks": to_json(landmarks),
    }
    if summary is not None:
        row["outcome"] = summary.get("outcome")
        row["solved"] = int(summary.get("outcome") == "solved")
        for name in ("update", "solved_at", "diverged_at", "seconds", "seen_share", "seen_counted"):
            row[name] = summary.get(name, row.get(name))
    for name, value in flat.items():
        row.setdefault(name, value)
    for name, value in flatten(summary or {}).items():
        if name not in RUNS_COLUMNS:
            row[f"summary_{name}" if name in flat else name] = value
    return row


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested options to names joined by underscores, in lower case; lists become JSON text.

    Args:
        tree: the options by group.
        prefix: put before every name.
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}".lower().replace(".", "_")
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}_"))
        else:
            flat[name] = to_json(value) if isinstance(value, list | tuple) else value
    return flat


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Turn rows into columns.

    Returns:
        The values by column, None where a row lacks one, and the SQL type of each column. Integers and floats together
        are DOUBLE; any other mixture, and integers beyond 64 bits, become text.
    """
    names = list(dict.fromkeys([*RUNS_COLUMNS, *(name for row in rows for name in row)]))
    columns, types = {}, {}
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if not kinds:
            kind = RUNS_COLUMNS.get(name, schema.REAL)
        elif kinds == {bool}:
            kind = schema.BOOLEAN
        elif kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
            kind = RUNS_COLUMNS[name] if RUNS_COLUMNS.get(name) == schema.REAL else schema.INTEGER
        elif kinds <= {int, float} and not any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
            kind = schema.REAL
        else:
            kind = schema.TEXT
            values = [value if value is None or isinstance(value, str) else to_json(value) for value in values]
        columns[name], types[name] = values, kind
    return columns, types
