"""The keys that the wandb mirrors of a study's runs hold, found in the records alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrd.records.files import RecordError
from lrd.records.mirror_content import PICTURED, measurements_of, profiles_of, scalars_of, summary_values
from lrd.records.record import RunRecord

if TYPE_CHECKING:
    import numpy as np

    from lrd.records.study import Study


@dataclass(frozen=True)
class MirrorKeys:
    """Keys of mirrors, in order: of ``history`` (numbers by update), ``media`` (pictures) and ``summary``."""

    history: tuple[str, ...]
    media: tuple[str, ...]
    summary: tuple[str, ...]


def mirror_keys(study: Study) -> MirrorKeys:
    """Return the keys that at least one run of a study has, whether it was mirrored already or not.

    Metrics are searched in every run. Keys of probes are read from one run of each kind: runs whose tasks and cells
    differ in numbers alone have the same keys.
    """
    history, media, summary = _metrics(study), dict[str, None](), dict[str, None]()
    for run_ids in _kinds(study):
        records = [RunRecord(study.path.parent, study.path.name, run_id) for run_id in run_ids]

        def first_measurement(table: str, records: list[RunRecord] = records) -> list[dict[str, np.ndarray]]:
            return measurements_of(_first(records, f"{table}.parquet", lambda record: record.read_table(table)))[:1]

        for _, values in scalars_of(first_measurement):
            history |= dict.fromkeys(values)
        for table in PICTURED:
            media |= {name: None for one in first_measurement(table) for name in profiles_of(table, one)}
        found = summary_values(_first(records, "summary.json", RunRecord.read_summary))
        summary |= dict.fromkeys(key for key, value in found.items() if value is not None)
    return MirrorKeys(tuple(history), tuple(media), tuple(summary))


def _metrics(study: Study) -> dict[str, None]:
    """Return the columns of metrics that hold any value."""
    names = [name for name in study.metrics.columns if name not in ("run_id", "update")]
    if not names:
        return {}
    counted = ", ".join('count("{}")'.format(name.replace('"', '""')) for name in names)
    (counts,) = study.sql(f"select {counted} from metrics").fetchall()
    return {name: None for name, count in zip(names, counts, strict=True) if count}


def _kinds(study: Study) -> list[list[str]]:
    """Group the ids of runs whose tasks and cells have the same options in words; finished runs come first."""
    kinds = zip(study.runs.columns, map(str, study.runs.types), strict=True)
    words = [name for name, kind in kinds if kind == "VARCHAR" and name.startswith(("task", "cell"))]
    query = "select list(run_id order by state <> 'finished', run_id) from runs group by {} order by all"
    return [run_ids for (run_ids,) in study.sql(query.format(", ".join(words))).fetchall()]


def _first(records: list[RunRecord], file: str, read: Any) -> dict[str, Any]:
    """Return the content of a file in the first run that has it undamaged; {} where none has."""
    for record in records:
        if (record.path / file).exists():
            try:
                return read(record) or {}
            except RecordError:  # the reader of the study reports it
                continue
    return {}
