"""Measure runs that are trained already: ``lrd probe``.

A measurement at the start needs nothing but the run's seed, one at the end its last checkpoint. What was measured, and
with which options, stands in the record (``looks.json``), so that the same command again does only what is missing.
What a probe measured in training stays as it is.
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
from lrd.custom import source_of
from lrd.options import OptionError
from lrd.probes import Probe, Subject
from lrd.records import RecordError, RunRecord, Study, hold_run_locks
from lrd.records.code_seal import foreign_code
from lrd.records.record import class_of
from lrd.spec import RunSpec, SpecError, run_from_dict
from lrd.spec.probes import key_of
from lrd.sweeps import nursery
from lrd.sweeps.lossy_output import lossy_output
from lrd.training import initial_parameters
from lrd.training.trained import trained_parameters

MOMENTS = ("start", "end")
_TOGETHER = 8  # runs of one shape that are measured at once


@dataclass(frozen=True)
class PackMeasurements:
    """Runs of one shape, and the probes that measure them at each moment.

    One process takes all moments of a run: their rows stand in the same files.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    todo: tuple[tuple[str, tuple[Probe, ...]], ...]

    @property
    def count(self) -> int:
        """Return how many measurements this is, each of one probe on one run at one moment."""
        return len(self.specs) * sum(len(probes) for _, probes in self.todo)


@dataclass(frozen=True)
class Agenda:
    """The measurements to take, and those that are not taken.

    Attributes:
        measurements: to take.
        done: how many were taken before.
        problems: a line for each run of which some cannot be taken, with the reason.
        left_out: how many cannot be taken.
    """

    measurements: tuple[PackMeasurements, ...]
    done: int
    problems: tuple[str, ...]
    left_out: int = 0


def agenda(
    study: Study, run_ids: Sequence[str], probes: Sequence[Probe], moments: Sequence[str], trust: bool = False
) -> Agenda:
    """Find the measurements to take. Runs that cannot be measured are named, and left out.

    Args:
        study: the study that keeps the runs.
        run_ids: the runs.
        probes: what is measured.
        moments: when, of ``MOMENTS``.
        trust: run the code in records that this user did not train on this machine, too.

    Raises:
        RecordError: there is such code, and no trust; nothing was run.
    """
    if not trust:
        refuse_foreign_code(study, run_ids)
    problems: list[str] = []
    done = left_out = 0
    groups: dict[tuple[str, tuple[tuple[str, tuple[Probe, ...]], ...]], list[RunSpec]] = {}
    for run_id in run_ids:
        record = RunRecord(study.path.parent, study.path.name, run_id)
        try:
            run = record.read_run()
            spec = run_from_dict(run["spec"], run.get("sources", {}))
            _check(probes, spec)
            taken = {key: options for probe in spec.probes for key, options in _in_training(probe, record)}
            taken |= record.read_measurements()
            end = _end(record) if "end" in moments else None
        except (RecordError, SpecError) as error:
            problems.append(f"{run_id}: {str(error).splitlines()[0]}")
            left_out += len(probes) * len(moments)
            continue
        in_training = {p.name for p in spec.probes}
        todo: list[tuple[str, tuple[Probe, ...]]] = []
        stays: list[Probe] = []
        for moment in moments:
            if moment == "end" and end is None:
                problems.append(f"{run_id}: it has no checkpoint yet")
                left_out += len(probes)
                continue
            update = 0 if moment == "start" else end
            left = tuple(p for p in probes if taken.get(f"{p.name}@{update}") != _options(p))
            done += len(probes) - len(left)
            stays += (stay := [p for p in left if p.name in in_training])
            left = tuple(p for p in left if p not in stay)
            todo += [(moment, left)] if left else []
        if stays:
            problems.append(f"{run_id}: {_what_stays(stays)}")
            left_out += len(stays)
        if todo:
            groups.setdefault((spec.pack_key, tuple(todo)), []).append(spec)
    measurements = [
        PackMeasurements(study.path, tuple(specs[start : start + _TOGETHER]), todo)
        for (_, todo), specs in groups.items()
        for start in range(0, len(specs), _TOGETHER)
    ]
    return Agenda(tuple(measurements), done, tuple(problems), left_out)


def _what_stays(probes: Sequence[Probe]) -> str:
    """Say of one run what training measured otherwise, which is kept, and what to do for other options."""
    names = ", ".join(dict.fromkeys(probe.name for probe in probes))
    how = "other options or another text of its class" if any(_code(probe) for probe in probes) else "other options"
    return f"{names} measured in training with {how}, which stays; for these options, train another study with them"


def refuse_foreign_code(study: Study, run_ids: Sequence[str]) -> None:
    """Raise ``RecordError`` where the record of a run holds code that this user did not train on this machine."""
    for run_id in run_ids:
        try:
            found = foreign_code(study.folder(run_id))
        except RecordError:  # it cannot be read, and so is not measured
            continue
        if found:
            raise RecordError(f"{found}; read its run.json, and if you trust it, add --trust")


def measure(measurements: Sequence[PackMeasurements], workers: int) -> Iterator[tuple[PackMeasurements, str]]:
    """Take all measurements; yield each when its tables are kept, with the reason where it failed."""
    if len(measurements) <= 1 or workers <= 1:
        yield from ((each, _measure(each)) for each in measurements)
        return
    with ProcessPoolExecutor(min(workers, len(measurements)), nursery.prepare(), nursery.unblock) as pool:
        futures = {pool.submit(_measure, each): each for each in measurements}
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    yield futures[future], "a process that measured died (of memory, perhaps)"
        finally:
            pool.shutdown(cancel_futures=True)


@lossy_output()  # a cell of one's own may print
def _measure(wanted: PackMeasurements) -> str:
    """Measure one pack; return the reason where that fails."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    records = [RunRecord(wanted.folder.parent, wanted.folder.name, spec.run_id) for spec in wanted.specs]
    try:
        with hold_run_locks([record.path for record in records]) as (_, ours):
            if not all(ours):
                return "another process is at them"
            for moment, probes in wanted.todo:
                _measure_at(moment, probes, wanted.specs, records)
    except (Exception, SystemExit) as error:  # whatever one pack dies of, the others go on
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _measure_at(moment: str, probes: Sequence[Probe], specs: Sequence[RunSpec], records: Sequence[RunRecord]) -> None:
    states = [_state(record, spec, moment) for record, spec in zip(records, specs, strict=True)]
    params, updates = zip(*states, strict=True)
    pack = {name: torch.stack([p[name] for p in params]) for name in params[0]}
    subject = Subject.of(specs[0].task, specs[0].cell, pack, torch.tensor([spec.seed for spec in specs]))
    for probe in probes:
        for record, update, tables in zip(records, updates, probe.tables_of(subject), strict=True):
            fresh = _of_another_text(probe, record)
            for name, columns in tables.items():
                record.merge_measurement(name, update, columns, probe.tables()[name], fresh)
            record.note_measurement(probe.name, update, _options(probe))


def _check(probes: Sequence[Probe], spec: RunSpec) -> None:
    """Raise ``SpecError`` for an option of a probe that does not fit a run."""
    for probe in probes:
        try:
            probe.check(spec.task)
            probe.check_cell(spec.cell)
        except OptionError as error:
            raise SpecError(f"probe.{key_of(probe)}.{error.key}: {error.message}") from error


def _of_another_text(probe: Probe, record: RunRecord) -> bool:
    """Return whether the rows that a record has of a probe come from another text of its class."""
    kept = [given for key, given in record.read_measurements().items() if key.startswith(f"{probe.name}@")]
    return any(class_of(given) != class_of(_code(probe)) for given in kept)


def _state(record: RunRecord, spec: RunSpec, moment: str) -> tuple[Parameters, int]:
    return (initial_parameters(spec), 0) if moment == "start" else trained_parameters(record, spec)


def _options(probe: Probe) -> dict[str, Any]:
    """Return what tells one measurement of a probe from another: its options, and the text of a class in a file."""
    options = {name: value for name, value in asdict(probe).items() if name != "per_decade"}  # which is of training
    return options | _code(probe)


def _code(probe: Probe) -> dict[str, str]:
    """Return which class of which text a probe is an instance of, as options; {} for a probe of lrd's own."""
    source = source_of(type(probe))
    return {} if source is None else {"code": source.code, "class": type(probe).__name__}


def _in_training(probe: Probe, record: RunRecord) -> list[tuple[str, dict[str, Any]]]:
    """Return what training measured for certain: at its start, and at its end once there is one."""
    updates = [0] if (summary := record.read_summary()) is None else [0, int(summary["update"])]
    return [(f"{probe.name}@{update}", _options(probe)) for update in updates]


def _end(record: RunRecord) -> int | None:
    return record.checkpoint_update()
