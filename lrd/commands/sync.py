"""``lrd sync``: send the wandb server what it lacks of a study, from the records."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Ask the server what it has of the study's runs, send the rest, say what is missing."""
    from lrd.records import RecordError, open_study
    from lrd.records.sync import MirrorPlace, Server, places, sync
    from lrd.records.wandb_environment import left_out
    from lrd.records.wandb_server import WandbServer

    parser = study_parser("sync")
    parser.add_argument("--project", help="wandb's project (default: the one that the runs were trained for)")
    parser.add_argument("--entity", help="wandb's entity (default: the same, or else the key's own)")
    parser.add_argument("--dry-run", action="store_true", help="ask the server and say what would be sent")
    given = parser.parse_args(arguments)
    if line := left_out():
        print(f"lrd: {line}", file=sys.stderr)
    try:
        open_study(given.study)
    except RecordError as error:
        return fail(str(error))
    work, report = places(given.study, given.project, given.entity)
    count = sum(map(len, work.values()))
    servers: list[WandbServer] = []
    with tempfile.TemporaryDirectory(prefix="lrd-sync-", ignore_cleanup_errors=True) as folder:

        def make_server(place: MirrorPlace) -> Server:
            servers.append(WandbServer(*place, Path(folder)))
            return servers[-1]

        def progress(run_id: str) -> None:
            if sys.stderr.isatty():
                print(f"sending {run_id}", file=sys.stderr, flush=True)

        try:
            sync(work, report, make_server, given.dry_run, progress)
        finally:
            for server in servers:
                server.close()
    if given.dry_run and report.missing:
        print(f"the server was not asked: {next(iter(report.missing.values()))}")
        print(f"would be looked at: {count} runs of {given.study}")
        return 0
    did = "would be sent" if given.dry_run else "sent"
    if report.status != 2:
        print(f"{did}: {len(report.sent)} runs; on the server before: {len(report.whole)}")
    for run_id, who in report.busy.items():
        print(f"left alone: {run_id}: {who} trains it, and mirrors it itself")
    for problem in report.left_out:
        print(f"left out: {problem}")
    reasons: dict[str, list[str]] = {}
    for run_id, reason in report.missing.items():
        reasons.setdefault(reason, []).append(run_id)
    for reason, run_ids in reasons.items():
        print(f"lrd: not sent: {_some(run_ids)}: {reason}", file=sys.stderr)
    return report.status


def _some(run_ids: list[str]) -> str:
    shown = ", ".join(run_ids[:5])
    return shown if len(run_ids) <= 5 else f"{shown} and {len(run_ids) - 5} more"
