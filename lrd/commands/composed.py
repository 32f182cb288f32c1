"""Composed plans: what ``lrd train`` and ``lrd plan`` make of a command line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrd.commands import fail
from lrd.sweeps import nursery
from lrd.sweeps.sockets import NoSocketError

if TYPE_CHECKING:
    from lrd.sweeps.launchers import Launcher
    from lrd.sweeps.plan import Plan


@dataclass(frozen=True)
class Composed:
    """A planned sweep, who trains it, and how many of its jobs repeat a run of another."""

    plan: Plan
    launcher: Launcher
    workers: int
    duplicates: int
    hypotheses: Any = None  # of the study, as they stand in its file
    paper: Any = None  # that the study re-runs, as it stands there

    @property
    def headline(self) -> str:
        """Return a line: how many runs there are, how many are done and how many packs are left."""
        plan = self.plan
        left = len(plan.runs) - len(plan.finished)
        return (
            f"{len(plan.runs)} runs: {len(plan.finished)} finished before, {left} to train in {len(plan.packs)} packs"
        )


def composed(arguments: list[str], trains: bool) -> Composed | int:
    """Return the plan of a command line; an exit status where a mistake was named, or Hydra has answered.

    Args:
        arguments: the command line, without the command.
        trains: whether it is to be trained: workers are prepared, and the studies' folders are made once all checks
            have passed.
    """
    from lrd.hydra_errors import CompositionError
    from lrd.hydra_main import compose_from_command_line

    try:
        inbox = compose_from_command_line(arguments)
    except CompositionError as error:
        return fail(str(error))
    if not inbox.configs:  # --help, --cfg and the like
        return 0

    from lrd.records import RecordError
    from lrd.records.wandb_environment import left_out, tracker_options

    try:
        for config in inbox.configs:
            if isinstance(options := config.get("tracker"), dict):
                config["tracker"] = tracker_options(options)
    except RecordError as error:
        return fail(str(error))
    mirrored = any((config.get("tracker") or {}).get("mode") != "disabled" for config in inbox.configs)
    if trains and mirrored and (line := left_out()):  # before workers get this process's variables
        print(f"lrd: {line}", file=sys.stderr)
    if trains and len(inbox.configs) > 1 and inbox.launcher.get("name") == "local":
        try:
            nursery.prepare()  # it imports torch while we do
        except NoSocketError as error:
            return fail(str(error))

    from lrd.findings import HypothesisError, hypotheses_from
    from lrd.findings.planned import check_statements
    from lrd.spec import SpecError
    from lrd.sweeps.launchers import launcher_from_options
    from lrd.sweeps.plan import jobs_from_configs, plan, writable
    from lrd.sweeps.quoting import with_quotes

    try:
        launcher = launcher_from_options(inbox.launcher)
        jobs = jobs_from_configs(inbox.configs, launcher.here)
        launcher.check()
        workers = launcher.workers_at(jobs[0].place)
        folders = {job.place.folder: None for job in jobs}
        for folder in folders:
            writable(folder, keep=False)
        if inbox.paper is not None:
            _check_paper(inbox.paper, inbox.hypotheses)
            if trains and (changed := _changed(arguments)):
                print(
                    f"lrd: {changed} given: the verdict is on these runs, not on the published result", file=sys.stderr
                )
        for folder in folders if inbox.hypotheses is not None else ():
            runs = [job.run for job in jobs if job.place.folder == folder]
            check_statements(hypotheses_from(inbox.hypotheses), runs, folder)
        work = plan(jobs, workers)
        for folder in folders if trains else ():  # at last: what is refused leaves no folder behind
            writable(folder)
    except (HypothesisError, SpecError, RecordError) as error:
        return fail(with_quotes(str(error), arguments, sweeps=len(inbox.configs) > 1))
    return Composed(work, launcher, workers, len(inbox.configs) - len(jobs), inbox.hypotheses, inbox.paper)


def _changed(arguments: list[str]) -> str:
    """Return which options of task, cell, optimizer and training a command line gives, in words; "" where none."""
    keys = [argument.lstrip("+~").split("=")[0] for argument in arguments]
    given = [key for key in keys if key.split(".")[0] in ("task", "cell", "optimizer", "training")]
    return f"{', '.join(given)} {'is' if len(given) == 1 else 'are'}" if given else ""


def _check_paper(tree: Any, hypotheses: Any) -> None:
    """Check what a study says of a published result, before any work.

    Args:
        tree: what stands under ``paper:`` in its file.
        hypotheses: what stands under ``hypotheses:`` there.

    Raises:
        HypothesisError: a key is wrong, its figure is none of lrd's, or no hypothesis says what the result claims.
    """
    from lrd.findings import HypothesisError, paper_from
    from lrd.options import not_a_choice
    from lrd.paths import ANALYSIS

    figure, figures = paper_from(tree).figure, sorted(script.stem for script in ANALYSIS.glob("*.py"))
    if figure not in figures:
        raise HypothesisError(f"paper.figure: {not_a_choice(figure, figures)}")
    if not hypotheses:
        raise HypothesisError("paper: needs hypotheses: beside it, which say in numbers what the result claims")
