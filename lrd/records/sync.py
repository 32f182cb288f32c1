"""Send to a server what it lacks of a study, from the records alone: mirrors may be missing, half or damaged.

The server is asked what it has of each run, and gets what is later than that. Nothing of it is believed that it does
not confirm afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

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
)
from lrd.records.record import RunRecord
from lrd.records.run_files import read_object
from lrd.records.run_lock import holder
from lrd.records.run_rows import read_row
from lrd.records.wandb_environment import tracker_options

PATIENCE = 15.0  # seconds for a server to show what it was sent
FAILURES = 2  # runs in a row that could not be sent, after which a server is taken to be gone
Place = tuple[str, str | None]  # project, entity


class ServerError(RuntimeError):
    """A server cannot be asked or written to. One line, with the way out."""


@dataclass(frozen=True)
class Known:
    """What a server has of a run: its last update (-1: none) and whether it has its summary."""

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

    def lacking(self, known: Known) -> bool:
        """Whether a server that knows this much lacks something."""
        last = self.moments[-1].update if self.moments else -1
        return known.update < last or (self.summary is not None and not known.finished)


class Server(Protocol):
    """One project of a wandb server. Every method raises ``ServerError`` within a minute rather than wait longer."""

    def known(self, run_ids: Collection[str]) -> dict[str, Known]:
        """What it has of these runs; those that it does not know are left out."""
        ...

    def send(self, shown: MirroredRun, after: int) -> None:
        """Send what is later than update ``after``, and the summary."""
        ...


@dataclass
class Report:
    """Run ids by what became of them; ``missing`` and ``left_out`` with the reason."""

    sent: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    busy: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 0, all is there; 1, something is missing; 2, and nothing was sent either."""
        if not self.missing and not self.left_out:
            return 0
        return 1 if self.sent or self.whole or not self.missing else 2


def read_mirrored_run(folder: Path) -> MirroredRun:
    """What a mirror shows of the run in a folder.

    Raises:
        RecordError: a part of the record is damaged.
    """
    study = str(read_row(folder)["study"])
    run, record = read_object(folder / schema.RUN), RunRecord(folder.parent.parent, folder.parent.name, folder.name)
    summary = record.read_summary()
    if summary is not None and (damaged := damaged_tables(folder)):
        raise RecordError(damaged[0])
    try:
        metrics = rows_of(record.read_metrics())  # before the others, which are written before it
        looks = {table: measurements_of(record.read_table(table)) for table in PICTURED}
        fits = rows_of(record.read_table("gradient_fit"))
        scalars = scalars_of(lambda name: measurements_of(record.read_table(name)))
        shown, lost = logged_updates(metrics, scalars, looks), fits_missing(fits, looks["gradient_flow"])
    except KeyError as error:
        raise RecordError(f"cannot read the tables of {folder}: they are damaged (no column {error})") from error
    if summary is None:  # it may be in training: what is later than its last row of metrics may not be whole yet
        last = metrics[-1]["update"] if metrics else -1
        shown, lost = [m for m in shown if m.update <= last], [key for key in lost if key[0] <= last]
    elif not shown or shown[-1].update < summary["update"]:
        raise RecordError(f"cannot read the tables of {folder}: they end before the run does")
    if lost:
        where = f"no row of update {lost[0][0]}, {lost[0][1]}"
        raise RecordError(f"cannot read {folder / schema.GRADIENT_FIT}: it is damaged ({where})")
    return MirroredRun(record.run_id, study, dict(run["spec"]), shown, summary)


def places(folder: Path, project: str | None, entity: str | None) -> tuple[dict[Place, list[Path]], Report]:
    """The study's runs by where they are mirrored; those that are trained now, or damaged, stand in the report.

    ``project`` and ``entity`` go over what the records say.
    """
    found: dict[Place, list[Path]] = {}
    report = Report()
    for run in sorted(path.parent for path in folder.glob(f"*/{schema.RUN}")):
        try:
            settings = read_object(run / schema.RUN).get("tracker") or {}
        except RecordError as error:
            report.left_out.append(str(error))
            continue
        claim = holder(run)
        if claim is not None and claim.alive is not False and settings.get("mode") == "online":
            report.busy[run.name] = claim.who
            continue
        found.setdefault(place_of(settings, project, entity), []).append(run)
    return found, report


def place_of(tracker: Mapping[str, Any], project: str | None, entity: str | None) -> Place:
    """Where a run is mirrored to, by what its record keeps of its tracker; ``project`` and ``entity`` go over that."""
    said = tracker_options(
        {"name": "wandb", "mode": "online", **{key: tracker.get(key) for key in ("project", "entity")}}
    )
    return project or said["project"] or "lrd", entity or said["entity"]


def sync(
    work: Mapping[Place, Sequence[Path]],
    report: Report,
    make_server: Callable[[Place], Server],
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda run_id: None,
    patience: float = PATIENCE,
) -> None:
    """Send what each place lacks of its runs, and write into the report what became of them.

    ``dry_run`` asks and sends nothing: what would be sent stands under ``sent``.
    """
    for place, folders in work.items():
        try:
            server = make_server(place)
            known = server.known([folder.name for folder in folders])
        except ServerError as error:
            report.missing |= dict.fromkeys((folder.name for folder in folders), str(error))
            continue
        lacking = _lacking(folders, known, report)
        if dry_run:
            report.sent += [shown.run_id for shown, _ in lacking]
        else:
            _send(server, lacking, report, progress, patience)


def _lacking(
    folders: Iterable[Path], known: Mapping[str, Known], report: Report
) -> Iterator[tuple[MirroredRun, Known]]:
    """The runs of which something is lacking, read one at a time: a study may be larger than memory."""
    for folder in folders:
        try:
            shown = read_mirrored_run(folder)
        except RecordError as error:
            report.left_out.append(str(error))
            continue
        has = known.get(folder.name, Known())
        if folder.name in known and not shown.lacking(has):
            report.whole.append(folder.name)
        else:
            yield shown, has


def _send(
    server: Server,
    lacking: Iterable[tuple[MirroredRun, Known]],
    report: Report,
    progress: Callable[[str], None],
    patience: float,
) -> None:
    unconfirmed: dict[str, Known] = {}
    in_a_row, reason = 0, ""
    for shown, has in lacking:
        if in_a_row == FAILURES:
            report.missing[shown.run_id] = reason
            continue
        progress(shown.run_id)
        try:
            server.send(shown, has.update)
        except ServerError as error:
            in_a_row, reason = in_a_row + 1, str(error).replace(shown.run_id, "a run")  # one line for all of them
            report.missing[shown.run_id] = reason
        else:
            in_a_row = 0
            last = shown.moments[-1].update if shown.moments else -1
            unconfirmed[shown.run_id] = Known(last, shown.summary is not None)
    _confirm(server, unconfirmed, report, patience)


def _confirm(server: Server, unconfirmed: dict[str, Known], report: Report, patience: float) -> None:
    """Ask the server again, until it shows all that it was sent or patience ends."""
    limit, reason = time.monotonic() + patience, "the server does not show all of it yet; run the same command again"
    while unconfirmed:
        try:
            known = server.known(list(unconfirmed))
        except ServerError as error:
            known, reason, limit = {}, str(error), 0.0
        for run_id, due in list(unconfirmed.items()):
            has = known.get(run_id)
            if has is not None and has.update >= due.update and has.finished >= due.finished:
                report.sent.append(run_id)
                del unconfirmed[run_id]
        if time.monotonic() > limit:
            report.missing |= dict.fromkeys(unconfirmed, reason)
            return
        if unconfirmed:
            time.sleep(min(1.0, patience))
