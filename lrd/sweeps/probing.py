"""Probes on runs that are trained already: ``lrd probe``.

A look at the start needs nothing but the run's seed, one at the end its last checkpoint. What was looked at, and with
which options, stands in the record (``looks.json``), so that the same command again does only what is missing. What a
probe saw in training stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lrd.cells import Parameters
from lrd.options import OptionError
from lrd.probes import Probe, Subject
from lrd.records import RecordError, RunRecord, Study, hold_run_locks
from lrd.records.code_seal import foreign_code
from lrd.spec import RunSpec, SpecError, run_from_dict
from lrd.sweeps import nursery
from lrd.sweeps.telling import telling
from lrd.training import initial_parameters, split_theta

MOMENTS = ("start", "end")
_TOGETHER = 8  # runs of one shape that are looked at at once


@dataclass(frozen=True)
class Look:
    """Runs of one shape, and the probes that look at them at each moment.

    All moments of a run are one process's affair: their rows stand in the same files.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    todo: tuple[tuple[str, tuple[Probe, ...]], ...]

    @property
    def count(self) -> int:
        """How many looks this is: of a probe at a run."""
        return len(self.specs) * sum(len(probes) for _, probes in self.todo)


@dataclass(frozen=True)
class Agenda:
    """``looks`` to take; ``done``: how many, of a probe at a run, are there; ``problems``: what cannot be done."""

    looks: tuple[Look, ...]
    done: int
    problems: tuple[str, ...]


def agenda(
    study: Study, run_ids: Sequence[str], probes: Sequence[Probe], moments: Sequence[str], trust: bool = False
) -> Agenda:
    """What there is to look at. Runs that cannot be looked at are named, and left out.

    ``trust``: run the code in records that this user did not train on this machine, too.

    Raises:
        RecordError: there is such code, and no trust; nothing was run.
    """
    if not trust:
        _refuse_foreign_code(study, run_ids)
    problems: list[str] = []
    done = 0
    groups: dict[tuple[str, tuple[tuple[str, tuple[Probe, ...]], ...]], list[RunSpec]] = {}
    for run_id in run_ids:
        record = RunRecord(study.path.parent, study.path.name, run_id)
        try:
            run = record.read_run()
            spec = run_from_dict(run["spec"], run.get("sources", {}))
            for probe in probes:
                probe.check(spec.task)
                probe.check_cell(spec.cell)
            taken = {key: options for probe in spec.probes for key, options in _in_training(probe, record)}
            taken |= record.read_measurements()
            end = _end(record) if "end" in moments else None
        except (RecordError, SpecError, OptionError) as error:
            problems.append(f"{run_id}: {str(error).splitlines()[0]}")
            continue
        todo = []
        for moment in moments:
            if moment == "end" and end is None:
                problems.append(f"{run_id}: it has no checkpoint yet")
                continue
            update = 0 if moment == "start" else end
            left = tuple(p for p in probes if taken.get(f"{p.name}@{update}") != _options(p))
            done += len(probes) - len(left)
            if stay := [p.name for p in left if p.name in {q.name for q in spec.probes}]:
                problems.append(f"{run_id}: {', '.join(stay)} looked in training with other options, which stays")
                left = tuple(p for p in left if p.name not in stay)
            todo += [(moment, left)] if left else []
        if todo:
            groups.setdefault((spec.pack_key, tuple(todo)), []).append(spec)
    looks = [
        Look(study.path, tuple(specs[start : start + _TOGETHER]), todo)
        for (_, todo), specs in groups.items()
        for start in range(0, len(specs), _TOGETHER)
    ]
    return Agenda(tuple(looks), done, tuple(problems))


def _refuse_foreign_code(study: Study, run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        try:
            found = foreign_code(study.folder(run_id))
        except RecordError:  # it cannot be read, and so is not looked at
            continue
        if found:
            raise RecordError(f"{found}; read its run.json, and if you trust it, add --trust")


def take(looks: Sequence[Look], workers: int) -> Iterator[tuple[Look, str]]:
    """Take all looks; yields each when its tables are kept, with the reason where it failed."""
    if len(looks) <= 1 or workers <= 1:
        yield from ((look, _take(look)) for look in looks)
        return
    with ProcessPoolExecutor(min(workers, len(looks)), nursery.prepare(), nursery.unblock) as pool:
        futures = {pool.submit(_take, look): look for look in looks}
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    yield futures[future], "a process that looked died (of memory, perhaps)"
        finally:
            pool.shutdown(cancel_futures=True)


@telling()  # a cell of one's own may print
def _take(look: Look) -> str:
    """One look; gives the reason where it fails."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    records = [RunRecord(look.folder.parent, look.folder.name, spec.run_id) for spec in look.specs]
    try:
        with hold_run_locks([record.path for record in records]) as (_, ours):
            if not all(ours):
                return "another process is at them"
            for moment, probes in look.todo:
                _take_at(moment, probes, look.specs, records)
    except Exception as error:  # whatever one look dies of, the others go on
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _take_at(moment: str, probes: Sequence[Probe], specs: Sequence[RunSpec], records: Sequence[RunRecord]) -> None:
    states = [_state(record, spec, moment) for record, spec in zip(records, specs, strict=True)]
    params, updates = zip(*states, strict=True)
    pack = {name: torch.stack([p[name] for p in params]) for name in params[0]}
    subject = Subject.of(specs[0].task, specs[0].cell, pack, torch.tensor([spec.seed for spec in specs]))
    for probe in probes:
        for record, update, tables in zip(records, updates, probe.tables_of(subject), strict=True):
            for name, columns in tables.items():
                record.merge_measurement(name, update, columns, probe.tables()[name])
            record.note_measurement(probe.name, update, _options(probe))


def _state(record: RunRecord, spec: RunSpec, moment: str) -> tuple[Parameters, int]:
    fresh = initial_parameters(spec)
    if moment == "start":
        return fresh, 0
    checkpoint = record.load_checkpoint()
    if checkpoint is None:
        raise RecordError(f"{record.path} has no checkpoint")
    theta = split_theta(checkpoint["pack"]["theta"][None], {name: tuple(p.shape) for name, p in fresh.items()})
    return {name: value[0] for name, value in theta.items()}, int(checkpoint["pack"]["update"])


def _options(probe: Probe) -> dict[str, Any]:
    return {name: value for name, value in asdict(probe).items() if name != "per_decade"}  # which is of training


def _in_training(probe: Probe, record: RunRecord) -> list[tuple[str, dict[str, Any]]]:
    """The looks that training took for certain: at its start, and at its end once there is one."""
    updates = [0] if (summary := record.read_summary()) is None else [0, int(summary["update"])]
    return [(f"{probe.name}@{update}", _options(probe)) for update in updates]


def _end(record: RunRecord) -> int | None:
    checkpoint = record.load_checkpoint()
    return None if checkpoint is None else int(checkpoint["pack"]["update"])
