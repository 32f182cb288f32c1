"""Plans: from composed configurations to the packs that are left to train."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.records import RecordError, RunRecord
from lrd.spec import Job, SpecError, job_from_config
from lrd.sweeps.asides import check_same
from lrd.sweeps.sizes import most_runs, preactivations


@dataclass(frozen=True)
class PlannedPack:
    """Jobs that train together; they share static shape, place, tracker and the update they start from."""

    number: int  # its name within the plan
    jobs: tuple[Job, ...]
    start: int = 0
    failures: int = 0  # in a row, without progress
    kills: int = 0  # of workers that had it
    dead: frozenset[str] = frozenset()  # run locks that are known to be of dead processes

    @property
    def work(self) -> int:
        """Return the run-updates still to do, at most."""
        return sum(job.run.training.max_updates - self.start for job in self.jobs)

    @property
    def cost(self) -> int:
        """Return what its time is in proportion to, roughly: the most expensive pack goes first."""
        return self.work * preactivations(self.jobs[0].run)


@dataclass(frozen=True)
class Plan:
    """The ``runs`` of a sweep, each once: those that are ``finished`` and, in ``packs``, those that are left."""

    runs: tuple[Job, ...]
    finished: tuple[Job, ...]
    packs: tuple[PlannedPack, ...]

    @property
    def folders(self) -> list[str]:
        """Return the folders of the studies."""
        return sorted({str(job.place.folder) for job in self.runs})


def record_of(job: Job) -> RunRecord:
    """Return the record that a job's run has or will have."""
    return RunRecord(job.place.runs_dir, job.place.study, job.run.run_id)


def jobs_from_configs(configs: Sequence[Mapping[str, Any]], here: bool = True) -> list[Job]:
    """Return typed jobs, each run once.

    Args:
        configs: composed configurations.
        here: whether they are to be trained on this machine, which must have their device.

    Raises:
        SpecError: something is wrong; every distinct mistake of the sweep is a line.
    """
    jobs: dict[tuple[str, str], Job] = {}
    errors: dict[str, None] = {}
    for config in configs:
        try:
            job = job_from_config(config)
            if here:
                job.torch_device()
            first = jobs.setdefault((str(job.place.folder), job.run.run_id), job)
            if first != job:
                check_same(first, job)
        except SpecError as error:
            errors |= dict.fromkeys(str(error).splitlines())
    if errors:
        raise SpecError("\n".join(errors))
    return list(jobs.values())


def plan(jobs: Sequence[Job], workers: int, load: bool = False) -> Plan:
    """Group what is left to do into packs, enough of them for every worker, the most expensive first.

    Args:
        jobs: the runs of a sweep, each once.
        workers: how many packs train at once.
        load: load checkpoints whole, which finds the damaged ones: for packs that are about to be trained. Otherwise
            their updates are read alone.
    """
    finished: list[Job] = []
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        record = record_of(job)
        if record.finished:
            finished.append(job)
            continue
        key = (job.run.pack_key, job.place, job.tracker, _start(record, load))
        groups.setdefault(key, []).append(job)
    left = len(jobs) - len(finished)
    parts: list[tuple[Sequence[Job], int]] = []
    for (_, _, _, start), group in groups.items():
        most = most_runs(group[0], left, workers)
        parts += [(part, start) for part in _even_parts(group, math.ceil(len(group) / most))]
    packs = [PlannedPack(number, tuple(part), start) for number, (part, start) in enumerate(parts)]
    packs.sort(key=lambda pack: pack.cost, reverse=True)
    return Plan(tuple(jobs), tuple(finished), tuple(packs))


def _start(record: RunRecord, load: bool) -> int:
    """Return the update of the run's checkpoint; 0 where there is none, or where it cannot be read."""
    try:
        if not load:
            return record.checkpoint_update() or 0
        checkpoint = record.load_checkpoint()
    except RecordError:  # no checkpoint then: the run starts anew
        return 0
    return 0 if checkpoint is None else int(checkpoint["pack"]["update"])


def _even_parts(jobs: Sequence[Job], parts: int) -> list[Sequence[Job]]:
    bounds = [round(len(jobs) * part / parts) for part in range(parts + 1)]
    return [jobs[start:stop] for start, stop in itertools.pairwise(bounds)]


def writable(folder: Path, keep: bool = True) -> None:
    """Make a study's folder, and remove it again unless ``keep``.

    Raises:
        SpecError: that is not allowed.
    """
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"runs_dir: cannot make {folder}: {error.strerror}; choose another folder") from error
    try:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SpecError(f"runs_dir: cannot write to {folder}; choose another folder")
    finally:
        for path in () if keep else missing:
            with suppress(OSError):  # somebody uses it by now
                path.rmdir()
