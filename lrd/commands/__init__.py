"""The commands of ``lrd``, one a module: each has ``run(arguments) -> exit status`` and imports nothing heavy before.

A new command is a module here, a row of ``COMMANDS`` and its place in the user guide; one that is renamed keeps its
former name in ``FORMER_NAMES``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

#: name -> (what follows it, what it does), in the order of the help
COMMANDS = {
    "train": ("[-m] [group=option] [option=value] ...", "train one run, a sweep (-m) or a study (experiment=NAME)"),
    "plan": ("[the same]", "what that would train, in how much time and memory; trains nothing"),
    "status": ("STUDY", "what is done, running, failed, diverged; time to go"),
    "sync": ("STUDY [--dry-run]", "send the wandb server what it lacks, from the records"),
    "dashboard": ("STUDY [--dry-run]", "save the study's wandb workspace, or print it"),
    "watch": ("STUDY", "open wandb's terminal viewer on the study's offline mirrors"),
    "probe": ("STUDY [probe=NAME] [--at start,end] [--where SQL]", "measure runs that are trained already"),
    "sample": ("STUDY [--where SQL] [--prime TEXT] ...", "text that trained character models go on with"),
    "check": ("FILE.py:CLASS", "whether a cell, task or probe of yours keeps the protocol, line by line"),
    "hypotheses": ("STUDY [--file FILE] [--filter SQL]", "the verdict of the records on each hypothesis of a study"),
    "figures": ("STUDY [--script FILE] [--filter SQL] ...", "draw every figure of a study, of some runs, or your own"),
    "report": ("STUDY [--out FOLDER] [--filter SQL]", "the study as one page, HTML and PDF, with figures and verdicts"),
    "doctor": ("[--json] [--runs FOLDER]", "what works on this machine: kernels, devices, disk; for bug reports too"),
}
#: former name -> command: it still does the same
FORMER_NAMES = {"claims": "hypotheses"}
INTERRUPTED = "interrupted: the same command again goes on from the checkpoints"


def fail(message: str) -> int:
    """Print what is wrong, each line behind ``lrd: ``, and return 2, the exit status of a wrong command."""
    for line in message.splitlines():
        print(f"lrd: {line}", file=sys.stderr)
    return 2


def study_parser(command: str) -> argparse.ArgumentParser:
    """Return a parser for a command whose first argument is a study's folder, ``study``."""
    does = COMMANDS[command][1]
    parser = argparse.ArgumentParser(prog=f"lrd {command}", description=f"{does[0].upper()}{does[1:]}.")
    parser.add_argument("study", type=Path, help="folder of a study, such as runs/demo")
    return parser


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--filter``: of which runs of the study, as an SQL condition."""
    parser.add_argument("--filter", metavar="SQL", help="of which runs: \"cell = 'lstm' and gap >= 50\"")


def wandb_parser(command: str, dry_run: str) -> argparse.ArgumentParser:
    """Return a study's parser with the options of commands that talk to the wandb server.

    Args:
        command: its name.
        dry_run: the help of ``--dry-run``.
    """
    parser = study_parser(command)
    parser.add_argument("--project", help="wandb's project (default: the one that the runs were trained for)")
    parser.add_argument("--entity", help="wandb's entity (default: the same, or else the key's own)")
    parser.add_argument("--dry-run", action="store_true", help=dry_run)
    return parser
