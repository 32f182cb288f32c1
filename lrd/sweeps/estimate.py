"""What a plan will take: seconds and bytes of each group of like packs, and of the whole with the workers at hand."""

from __future__ import annotations

import heapq
import itertools
import os
import resource
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lrd.records import RecordError, read_object
from lrd.records.schema import ENVIRONMENT
from lrd.spec import Job, RunSpec
from lrd.sweeps.calibrate import calibrate, seconds_for
from lrd.sweeps.memory import pack_bytes
from lrd.sweeps.plan import Plan, PlannedPack, record_of
from lrd.sweeps.prices import pack_seconds
from lrd.training.determinism import repeat_bits

START_SECONDS = 1.0  # from the plan to the first update of a worker, which is forked but opens its mirror itself
#: Memory of a forked worker that it shares with nobody, beside its packs: measured 77 MB, with the wandb mirror.
WORKER_BYTES = 80_000_000
_RECORDS = 5  # finished runs of one kind that are asked how long they took
_ALIKE = 2  # by what factor packs on a GPU may differ in size for one to tell how long the other takes


@dataclass(frozen=True)
class Group:
    """Packs that train the same but for seeds and the like; the last ones may hold a run less.

    ``seconds`` and ``bytes`` are those of the largest pack; ``recorded``: whether from records, else from calibration.
    """

    run: RunSpec
    packs: tuple[PlannedPack, ...]
    seconds: float
    bytes: int
    recorded: bool

    @property
    def runs(self) -> int:
        """Runs in all its packs."""
        return sum(len(pack.jobs) for pack in self.packs)

    @property
    def largest(self) -> int:
        """Runs of its largest pack."""
        return max(len(pack.jobs) for pack in self.packs)

    @property
    def updates(self) -> int:
        """Updates that each run still has to do, at most."""
        return self.run.training.max_updates - self.packs[0].start


@dataclass(frozen=True)
class Estimate:
    """``seconds``: wall time; ``bytes``: of all processes; ``pack_bytes``: of the largest pack; ``shared_bytes``: of
    the processes without workers. ``on_gpu``: packs lie in a GPU's memory. ``measured``: seconds that calibration had;
    0: none was needed. ``load``: processes that want a core now, for each core."""

    groups: tuple[Group, ...]
    workers: int
    seconds: float
    bytes: int
    pack_bytes: int
    shared_bytes: int
    on_gpu: bool
    measured: float
    load: float


def estimate(plan: Plan, workers: int) -> Estimate:
    """Time and memory of what is left of a plan, which must be something."""
    place = plan.packs[0].jobs[0].place
    device = place.torch_device()
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    process = process_bytes()  # before this process does any work of a worker
    kinds: dict[tuple[str, int], list[PlannedPack]] = {}
    for pack in plan.packs:
        kinds.setdefault((pack.jobs[0].run.pack_key, pack.start), []).append(pack)
    recorded = seconds_of_records(plan.finished, device.type)
    packs = list(kinds.values())
    sizes = [max(len(pack.jobs) for pack in group) for group in packs]
    known = [
        update_seconds(recorded.get(like(group[0].jobs[0].run), []), size, device.type)
        for group, size in zip(packs, sizes, strict=True)
    ]
    shapes = [
        (group[0].jobs[0].run, size) for group, size, update in zip(packs, sizes, known, strict=True) if not update
    ]
    repeat_bits(device, place.deterministic)  # as training has it, at its price
    factors = iter(calibrate(shapes, device))
    groups = []
    for group, runs, update in zip(packs, sizes, known, strict=True):
        run, start = group[0].jobs[0].run, group[0].start
        if update:
            seconds = update * (run.training.max_updates - start)
        else:
            seconds = pack_seconds(run, runs, start, next(factors))
        groups.append(Group(run, tuple(group), seconds, pack_bytes(run, runs, device), bool(update)))
    seconds_of = {p.number: g.seconds * len(p.jobs) / g.largest for g in groups for p in g.packs}
    at_once = min(workers, len(plan.packs))
    wall = makespan([seconds_of[pack.number] for pack in plan.packs], at_once)
    largest = sorted((group.bytes for group in groups for _ in group.packs), reverse=True)[:at_once]
    on_gpu = device.type != "cpu"
    shared = process if at_once == 1 else 2 * process  # this one and the one that workers are forked from
    return Estimate(
        groups=tuple(groups),
        workers=at_once,
        seconds=wall + (START_SECONDS if at_once > 1 else 0),
        bytes=shared + (at_once * WORKER_BYTES if at_once > 1 else 0) + (0 if on_gpu else sum(largest)),
        pack_bytes=largest[0],
        shared_bytes=shared,
        on_gpu=on_gpu,
        measured=seconds_for(device) if shapes else 0,
        load=load,
    )


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of some packs is done, if each idle worker takes the next one."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def like(run: RunSpec) -> str:
    """Equal for runs whose updates take the same time."""
    return replace(run, training=replace(run.training, max_updates=1, solved_evals=1, stop_when_solved=True)).pack_key


def seconds_of_records(finished: Sequence[Job], device: str) -> dict[str, list[tuple[float, float]]]:
    """By what ``like`` says, of finished records made on such a device: seconds an update and run, runs in the pack."""
    by_kind: dict[str, list[Job]] = {}
    for job in finished:
        by_kind.setdefault(job.run.pack_key, []).append(job)
    found: dict[str, list[tuple[float, float]]] = {}
    for job in itertools.chain.from_iterable(jobs[:_RECORDS] for jobs in by_kind.values()):
        record = record_of(job)
        try:
            summary = record.read_summary() or {}
            where = read_object(record.path / ENVIRONMENT)
            took, updates = float(summary["seconds"]), int(summary["update"])
            size = float((record.read_status() or {}).get("pack_size") or 1)
        except (RecordError, OSError, KeyError, TypeError, ValueError):
            continue  # damaged: the reader of the study names it
        if updates and took > 0 and str(where.get("device", "")).startswith(device):
            found.setdefault(like(job.run), []).append((took / updates, size))
    return found


def update_seconds(recorded: Sequence[tuple[float, float]], runs: int, device: str) -> float | None:
    """Seconds an update of a pack of so many runs, from ``seconds_of_records`` of its kind; None: they do not tell.

    On a CPU each run takes its own time, whatever its company. On a GPU a pack may take hardly longer than half of it,
    or twice as long: there only packs of about the size tell, and larger ones are taken to be slower in proportion.
    """
    each = [seconds * runs for seconds, _ in recorded]
    if device != "cpu":
        near = [(seconds, size) for seconds, size in recorded if size / _ALIKE <= runs <= size * _ALIKE]
        each = [seconds * max(size, runs) for seconds, size in near]
    return statistics.median(each) if each else None


def process_bytes() -> int:
    """Memory of this process at its largest up to now: it has imported what a worker imports."""
    from lrd import training  # noqa: F401

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
