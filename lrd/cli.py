"""The command line: ``lrd train``, ``lrd status``, ``lrd figures``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrd import __version__

_USAGE = """lrd: recurrent networks and long-term dependencies

  lrd train [-m] [group=option] [option=value] ...   train one run, a sweep (-m) or a study (experiment=NAME)
  lrd status STUDY                                   what is done, running, failed, diverged
  lrd figures STUDY [--out FOLDER]                   draw every figure of a study from its records

  lrd train --help        groups and options         lrd train --cfg job   the composed configuration
  eval "$(lrd -sc install=bash)"   tab completion    lrd --version
"""
_INTERRUPTED = "interrupted: the same command again goes on from the checkpoints"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"lrd {__version__}")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command == "-sc":
        return _complete(arguments)
    commands = {"train": _train, "status": _status, "figures": _figures}
    if command not in commands:
        from lrd.options import not_a_choice

        return _fail(f"command: {not_a_choice(command, commands)} (lrd --help shows them)")
    try:
        return commands[command](rest)
    except KeyboardInterrupt:  # before or after training, which answers for itself
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _fail(message: str) -> int:
    for line in message.splitlines():
        print(f"lrd: {line}", file=sys.stderr)
    return 2


def _train(arguments: list[str]) -> int:
    from lrd.hydra_main import CompositionError, compose_from_command_line

    try:
        inbox = compose_from_command_line(arguments)
    except CompositionError as error:
        return _fail(str(error))
    if not inbox.configs:  # --help, --cfg and the like: Hydra has answered
        return 0

    from lrd.records import RecordError, open_study
    from lrd.spec import SpecError
    from lrd.sweeps import tables
    from lrd.sweeps.execute import execute, failures
    from lrd.sweeps.plan import jobs_from_configs, plan, writable
    from lrd.sweeps.workers import default_workers

    try:
        jobs = jobs_from_configs(inbox.configs)
        workers, retries = _launcher(inbox.launcher, default_workers(jobs[0].place.torch_device()))
        for job in jobs:
            writable(job.place.folder)
        work = plan(jobs, workers)
    except (SpecError, RecordError) as error:
        return _fail(str(error))
    left = len(work.runs) - len(work.finished)
    print(
        f"{len(work.runs)} runs: {len(work.finished)} finished before, {left} to train in {len(work.packs)} packs",
        flush=True,
    )
    progress = execute(work, workers, retries)
    for folder in work.folders:
        with suppress(RecordError):  # a sweep that was stopped, or failed, before its first record
            print(f"\n{tables.results(open_study(folder))}")
            print(f"records: {folder}    figures: lrd figures {folder}")
    for line in failures(progress):
        print(f"lrd: {line}", file=sys.stderr)
    if progress.interrupted:
        print(_INTERRUPTED, file=sys.stderr)
        return 130
    return 1 if progress.failures else 0


def _launcher(options: dict[str, Any], workers: int) -> tuple[int, int]:
    """Number of workers (``workers`` where none is given) and of retries, from the launcher's options."""
    from lrd.options import nearest
    from lrd.spec import SpecError

    least = {"workers": 1, "retries": 0}
    for key in options.keys() - least.keys():
        raise SpecError(f"hydra.launcher.{key}: there is no such option{nearest(key, list(least))}")
    given = {"workers": workers, "retries": 1} | {key: v for key, v in options.items() if v is not None}
    for key, value in given.items():
        if type(value) is not int or value < least[key]:
            raise SpecError(f"hydra.launcher.{key}: must be a whole number >= {least[key]}, got {value!r}")
    return given["workers"], given["retries"]


def _status(arguments: list[str]) -> int:
    from lrd.records import RecordError, open_study
    from lrd.sweeps import tables

    parser = argparse.ArgumentParser(prog="lrd status", description="What is done, running, failed, diverged.")
    parser.add_argument("study", type=Path, help="folder of a study, such as runs/demo")
    try:
        study = open_study(parser.parse_args(arguments).study)
    except RecordError as error:
        return _fail(str(error))
    print(tables.states(study))
    for line in tables.claims(study):
        print(line)
    for run_id, message in study.sql("select run_id, message from runs where state = 'failed' limit 5").fetchall():
        print(f"failed: {run_id}: {message}")
    for problem in study.problems:
        print(f"left out: {problem}")
    return 0


def _figures(arguments: list[str]) -> int:
    from lrd.paths import ANALYSIS
    from lrd.records import RecordError, open_study

    parser = argparse.ArgumentParser(prog="lrd figures", description="Draw every figure of a study from its records.")
    parser.add_argument("study", type=Path, help="folder of a study, such as runs/demo")
    parser.add_argument("--out", type=Path, help="folder for the files (default: figures/ inside the study)")
    given = parser.parse_args(arguments)
    sys.path.insert(0, str(ANALYSIS))
    common = importlib.import_module("common")
    try:
        drawn, missing = common.draw_all(open_study(given.study), given.out or given.study / "figures")
    except (RecordError, OSError) as error:
        return _fail(str(error))
    for path in drawn:
        print(path)
    for line in missing:
        print(f"lrd: not drawn: {line}", file=sys.stderr)
    return 0 if drawn else 1


def _complete(arguments: list[str]) -> int:
    """Hydra's tab completion, for ``lrd train``: Hydra itself knows no subcommand."""
    from lrd.hydra_main import compose_from_command_line

    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if len(words) > 1 and words[1] == "train":
        os.environ["COMP_LINE"] = line.replace(" train", "", 1)
    elif arguments[1:] and arguments[1].startswith("query"):
        if len(words) < 2 or (len(words) == 2 and not line.endswith(" ")):
            print("train status figures")
        return 0  # what follows status and figures is a folder, which the shell completes
    compose_from_command_line(arguments)
    return 0
