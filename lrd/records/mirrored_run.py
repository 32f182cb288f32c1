"""A run as its mirror shows it, read from its record, and the part of it that a server has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.records import schema
from lrd.records.checksums import damaged_tables
from lrd.records.files import RecordError
from lrd.records.mirror_content import (
    PICTURED,
    LoggedUpdate,
    fits_missing,
    logged_updates,
    measurements_of,
    rows_of,
    scalars_of,
    values_at_gaps,
)
from lrd.records.record import RunRecord
from lrd.records.run_files import read_object
from lrd.records.run_rows import read_row


@dataclass(frozen=True)
class ServerState:
    """State of a run on a server: its last update there (-1: none), and whether its summary is there."""

    update: int = -1
    finished: bool = False


@dataclass(frozen=True)
class MirroredRun:
    """All that a mirror shows of one run, from its record; ``summary`` is None until the run is finished."""

    run_id: str
    study: str
    config: dict[str, Any]
    moments: list[LoggedUpdate]
    summary: dict[str, Any] | None

    def lacking(self, known: ServerState) -> bool:
        """Return whether a server that has this much lacks something."""
        last = self.moments[-1].update if self.moments else -1
        return known.update < last or (self.summary is not None and not known.finished)


def read_mirrored_run(folder: Path) -> MirroredRun:
    """Read all that a mirror shows of the run in a folder.

    Raises:
        RecordError: a part of the record is damaged.
    """
    study = str(read_row(folder)["study"])
    run, record = read_object(folder / schema.RUN), RunRecord(folder.parent.parent, folder.parent.name, folder.name)
    summary = record.read_summary()
    if summary is not None and (damaged := damaged_tables(folder)):
        raise RecordError(damaged[0])
    try:
        metrics = rows_of(record.read_metrics())  # first, since it is written last
        pictured = {table: measurements_of(record.read_table(table)) for table in PICTURED}
        fits = rows_of(record.read_table("gradient_fit"))
        at_gaps = values_at_gaps(record.read_table("generalisation"))
        scalars = scalars_of(lambda name: measurements_of(record.read_table(name)))
        shown, lost = logged_updates(metrics, scalars, pictured), fits_missing(fits, pictured["gradient_flow"])
    except KeyError as error:
        raise RecordError(f"cannot read the tables of {folder}: they are damaged (no column {error})") from error
    if summary is None:  # in training, perhaps: what is later than the last row of metrics may be incomplete
        last = metrics[-1]["update"] if metrics else -1
        shown, lost = [m for m in shown if m.update <= last], [key for key in lost if key[0] <= last]
    elif not shown or shown[-1].update < summary["update"]:
        raise RecordError(f"cannot read the tables of {folder}: they end before the run does")
    if lost:
        where = f"no row of update {lost[0][0]}, {lost[0][1]}"
        raise RecordError(f"cannot read {folder / schema.GRADIENT_FIT}: it is damaged ({where})")
    return MirroredRun(record.run_id, study, dict(run["spec"]), shown, summary and summary | at_gaps)
