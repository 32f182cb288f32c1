"""``lrd dashboard``: the wandb workspace of a study, as code."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lrd.commands import fail, wandb_parser


def run(arguments: list[str]) -> int:
    """Make the workspace from the study's records; print it, or save it and say where it is."""
    from lrd.extras import missing
    from lrd.records import RecordError, open_study, workspace
    from lrd.records.sync import ServerError
    from lrd.records.wandb_environment import left_out

    given = wandb_parser("dashboard", "print what would be saved, as JSON; asks no server").parse_args(arguments)
    if line := missing("lrd dashboard", "dashboard"):
        return fail(line)
    if line := left_out():
        print(f"lrd: {line}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="lrd-dashboard-", ignore_cleanup_errors=True) as folder:
        try:
            study = open_study(given.study)
            place = workspace.place_of_study(study, given.project, given.entity)
            made = workspace.make_workspace(study, place, Path(folder))
            for problem in study.problems:
                print(f"lrd: left out: {problem}", file=sys.stderr)
            if given.dry_run:
                print(*workspace.outline(study, place), sep="\n", file=sys.stderr)
                print(workspace.as_json(made))
            else:
                print(workspace.save(made, Path(folder)))
        except RecordError as error:
            return fail(str(error))
        except ServerError as error:
            return fail(f"{error}; --dry-run prints the dashboard without a server")
    return 0
