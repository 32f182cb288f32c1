"""``lrd sync``: send the wandb server what it lacks of a study, from the records."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lrd.commands import fail, wandb_parser


def run(arguments: list[str]) -> int:
    """Ask the server what it has of the study's runs, send the rest, and print what is still missing.

    Returns:
        The exit status: 0 where the server has all runs or gets them, 1 where something is missing, 2 where nothing was
        sent either, or there is no such study.
    """
    from lrd.records import RecordError, open_study
    from lrd.records.sync import MirrorPlace, Server, places, sync
    from lrd.records.wandb_environment import left_out
    from lrd.records.wandb_server import WandbServer

    given = wandb_parser("sync", "ask the server and say what would be sent").parse_args(arguments)
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
        print(f"would be compared: {count} runs of {given.study}")
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
