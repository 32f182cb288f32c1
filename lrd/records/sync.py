"""Sending to a wandb server what it lacks of a study, from the records alone: mirrors may be missing or damaged.

The server is asked what it has of each run, and gets what is later. A run counts as sent when the server shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lrd.records import schema
from lrd.records.files import RecordError
from lrd.records.mirrored_run import MirroredRun, ServerState, read_mirrored_run
from lrd.records.run_files import read_object
from lrd.records.run_lock import holder
from lrd.records.wandb_environment import tracker_options

PATIENCE = 15.0  # seconds for a server to show what it was sent
FAILURES = 2  # runs in a row that could not be sent, after which a server is taken to be gone
MirrorPlace = tuple[str, str | None]  # project, entity


class ServerError(RuntimeError):
    """A server cannot be asked or written to. The message is one line, with the way out."""


class Server(Protocol):
    """One project of a wandb server. Every method raises ``ServerError`` within a minute rather than wait longer."""

    def known(self, run_ids: Collection[str]) -> dict[str, ServerState]:
        """Return what the server has of these runs; unknown runs are left out."""
        ...

    def send(self, shown: MirroredRun, after: int) -> None:
        """Send a part of a run.

        Args:
            shown: the whole run.
            after: the last update that the server has; what is later is sent, and the summary.
        """
        ...


@dataclass
class SyncReport:
    """Run ids by what became of them.

    ``sent``; ``whole``: the server had all of it; ``busy``: in training, with the process; ``missing``: not sent, with
    the reason. ``left_out``: a line for each run that cannot be read.
    """

    sent: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    busy: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 0 if the server has everything, 1 if something is missing, 2 if it has nothing of the study."""
        if not self.missing and not self.left_out:
            return 0
        return 1 if self.sent or self.whole or not self.missing else 2


def places(folder: Path, project: str | None, entity: str | None) -> tuple[dict[MirrorPlace, list[Path]], SyncReport]:
    """Group the runs of a study by the place of their mirrors.

    Args:
        folder: the study's folder.
        project: wandb project of all mirrors; None: the one in the record of each run.
        entity: wandb entity of all mirrors; None: the one in the record of each run.

    Returns:
        The folders of the runs by place, and a report of the runs that are in training now or cannot be read.
    """
    found: dict[MirrorPlace, list[Path]] = {}
    report = SyncReport()
    for run in sorted(path.parent for path in folder.glob(f"*/{schema.RUN}")):
        try:
            settings = read_object(run / schema.RUN).get("tracker") or {}
        except RecordError as error:
            report.left_out.append(str(error))
            continue
        lock = holder(run)
        if lock is not None and lock.alive is not False and settings.get("mode") == "online":
            report.busy[run.name] = lock.who
            continue
        found.setdefault(place_of(settings, project, entity), []).append(run)
    return found, report


def place_of(tracker: Mapping[str, Any], project: str | None, entity: str | None) -> MirrorPlace:
    """Return the project and entity that a run is mirrored to.

    Args:
        tracker: what the record keeps of its tracker.
        project: the project, whatever the record says; None: the record's.
        entity: the entity, whatever the record says; None: the record's.
    """
    recorded = tracker_options(
        {"name": "wandb", "mode": "online", **{key: tracker.get(key) for key in ("project", "entity")}}
    )
    return project or recorded["project"] or "lrd", entity or recorded["entity"]


def sync(
    work: Mapping[MirrorPlace, Sequence[Path]],
    report: SyncReport,
    make_server: Callable[[MirrorPlace], Server],
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda run_id: None,
    patience: float = PATIENCE,
) -> None:
    """Send what each place lacks of its runs, and write into the report what became of them.

    Args:
        work: folders of runs by the place of their mirrors.
        report: what is written into.
        make_server: gives the server of a place.
        dry_run: whether to ask the server alone: what would be sent is then under ``sent``.
        progress: called with the id of each run before it is sent.
        patience: seconds for a server to show what it was sent.
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
    folders: Iterable[Path], known: Mapping[str, ServerState], report: SyncReport
) -> Iterator[tuple[MirroredRun, ServerState]]:
    """Yield the runs of which the server lacks something, read one at a time: a study may be larger than memory."""
    for folder in folders:
        try:
            shown = read_mirrored_run(folder)
        except RecordError as error:
            report.left_out.append(str(error))
            continue
        has = known.get(folder.name, ServerState())
        if folder.name in known and not shown.lacking(has):
            report.whole.append(folder.name)
        else:
            yield shown, has


def _send(
    server: Server,
    lacking: Iterable[tuple[MirroredRun, ServerState]],
    report: SyncReport,
    progress: Callable[[str], None],
    patience: float,
) -> None:
    unconfirmed: dict[str, ServerState] = {}
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
            unconfirmed[shown.run_id] = ServerState(last, shown.summary is not None)
    _confirm(server, unconfirmed, report, patience)


def _confirm(server: Server, unconfirmed: dict[str, ServerState], report: SyncReport, patience: float) -> None:
    """Ask the server again until it shows all that it was sent, or patience ends."""
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
