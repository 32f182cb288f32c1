"""What a plan will take: a range of time and a size of memory, for each kind of pack and for the whole.

The least is what it takes if the runs that may stop early do so at once, the most if none does; finished runs of the
same kind narrow this (``lrd.sweeps.endings``). How long an update takes is what finished runs of the same pace took on
this hardware, or else measured here (``lrd.sweeps.measuring``).
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch

from lrd.cells import network_name
from lrd.records import NullTracker, RecordError, hardware
from lrd.spec import Place, RunSpec
from lrd.sweeps.endings import FinishedRun, Range, end_of, finished_runs, makespan, same_pace
from lrd.sweeps.measuring import FASTER, SLOWER, Shape, clock, measure, shortened
from lrd.sweeps.plan import Plan, PlannedPack
from lrd.sweeps.sizes import pack_bytes
from lrd.sweeps.tables import table
from lrd.sweeps.units import memory, span
from lrd.training.curriculum import without
from lrd.training.determinism import repeat_bits
from lrd.training.norms_by_default import has_norms

_START = 5.0  # seconds, at most, on a machine at rest: to compose, import and start workers
#: Memory of a forked worker that it shares with nobody, beside its packs: measured 161 MB with a kernel that numba
#: compiled, 77 MB without one, with the wandb mirror.
WORKER_BYTES = 160_000_000
_ALIKE = 2  # by what factor packs on a GPU may differ in size for one to say how long the other takes
_BUSY = 0.5  # load a core from which workers, one a core, get less than theirs
_HEADER = ["task", "gap", "cell", "hidden", "runs", "packs", "runs a pack", "updates left", "time a pack", "memory"]


@dataclass(frozen=True)
class PackKind:
    """Packs that differ in seeds and the like alone; the last ones may hold a run less.

    ``seconds`` and ``bytes`` are those of the largest pack; ``recorded``: whether finished runs say how long it takes.
    ``seconds`` is None where that could not be measured.
    """

    run: RunSpec
    packs: tuple[PlannedPack, ...]
    seconds: Range | None
    bytes: int
    recorded: bool

    @property
    def runs(self) -> int:
        """Return the number of runs in all its packs."""
        return sum(len(pack.jobs) for pack in self.packs)

    @property
    def largest(self) -> int:
        """Return the number of runs in its largest pack."""
        return max(len(pack.jobs) for pack in self.packs)

    @property
    def updates(self) -> int:
        """Return the updates that each run still has to do, at most."""
        return self.run.training.max_updates - self.packs[0].start


@dataclass(frozen=True)
class Forecast:
    """Time and memory of what is left of a plan.

    Attributes:
        kinds: the packs, by what they train.
        workers: how many packs train at once.
        seconds: wall time of the whole.
        bytes: memory of all processes, without that of GPUs.
        pack_bytes: memory of the largest pack.
        shared_bytes: memory of the processes without workers.
        on_gpu: whether packs lie in a GPU's memory.
        load: processes that want a core now, for each core.
        with_norms: runs whose records will have training gradient norms.
    """

    kinds: tuple[PackKind, ...]
    workers: int
    seconds: Range
    bytes: int
    pack_bytes: int
    shared_bytes: int
    on_gpu: bool
    load: float
    with_norms: int = 0


def forecast(plan: Plan, workers: int) -> Forecast:
    """Return time and memory of what is left of a plan, which must be something."""
    place = plan.packs[0].jobs[0].place
    device = place.torch_device()
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    process = process_bytes()  # before this process does any work of a worker
    torch.set_num_threads(1)  # as in a worker
    repeat_bits(device, place.deterministic)  # as training has it, at its price
    alike: dict[tuple[str, int], list[PlannedPack]] = {}
    for pack in plan.packs:
        alike.setdefault((pack.jobs[0].run.pack_key, pack.start), []).append(pack)
    groups = list(alike.values())
    shapes = [(group[0].jobs[0].run, max(len(pack.jobs) for pack in group)) for group in groups]
    seconds = _seconds(shapes, [group[0].start for group in groups], finished_runs(plan.finished), device, load)
    kinds = tuple(
        PackKind(run, tuple(group), took, pack_bytes(run, runs, device), recorded)
        for group, (run, runs), (took, recorded) in zip(groups, shapes, seconds, strict=True)
    )
    at_once = min(workers, len(plan.packs))
    largest = sorted((kind.bytes for kind in kinds for _ in kind.packs), reverse=True)[:at_once]
    on_gpu = device.type != "cpu"
    shared = process if at_once == 1 else 2 * process  # this one and the one that workers are forked from
    return Forecast(
        kinds=kinds,
        workers=at_once,
        seconds=_wall(plan, kinds, at_once, _START * (1 + load)),
        bytes=shared + (at_once * WORKER_BYTES if at_once > 1 else 0) + (0 if on_gpu else sum(largest)),
        pack_bytes=largest[0],
        shared_bytes=shared,
        on_gpu=on_gpu,
        load=load,
        with_norms=sum(len(pack.jobs) for pack in plan.packs if has_norms(pack.jobs[0].run, device, len(pack.jobs))),
    )


def _seconds(
    shapes: Sequence[Shape], starts: Sequence[int], finished: Sequence[FinishedRun], device: torch.device, load: float
) -> list[tuple[Range | None, bool]]:
    """Return how long a pack of each shape takes from its start on, and whether finished runs say so."""
    here = hardware(str(device))
    paces: dict[str, list[FinishedRun]] = {}
    ends: dict[str, list[int]] = {}
    for one in finished:
        ends.setdefault(one.run.pack_key, []).append(one.update)
        if one.hardware == here:
            paces.setdefault(same_pace(one.run), []).append(one)
    known = [pack_pace(paces.get(same_pace(run), ()), runs, device.type) for run, runs in shapes]
    unknown = [shape for shape, pace in zip(shapes, known, strict=True) if pace is None]
    measured, slower = measure(unknown, device)
    slower = min(slower, 1 + load)  # seconds are few, and the load is that of a minute
    costs = iter(measured)
    record = record_seconds(unknown[0][0], device) if unknown else 0.0
    found: list[tuple[Range | None, bool]] = []
    for (run, runs), start, pace in zip(shapes, starts, known, strict=True):
        end = end_of(run, ends.get(run.pack_key, ()), start)
        if pace is not None:
            least, most = pace.least * (end.least - start), pace.most * (end.most - start)
            found.append((Range(least / FASTER, most * SLOWER), True))
        elif cost := next(costs):
            least, most = (cost.of(run, start, each) for each in end)
            most += 2 * runs * record  # once for the record, once for its mirror
            found.append((Range(least / FASTER, slower * SLOWER * most), False))
        else:
            found.append((None, False))
    return found


def pack_pace(finished: Sequence[FinishedRun], runs: int, device: str) -> Range | None:
    """Return the seconds of an update of a pack of so many runs, from finished runs of its pace; None without any.

    On a CPU each run takes its own time, whatever its company. On a GPU a pack may take hardly longer than half of it,
    or twice as long: there only packs of about the size count, and larger ones are taken to be slower in proportion.
    """
    if device == "cpu":
        seconds = [one.pace * runs for one in finished]
    else:
        near = [one for one in finished if one.pack_size / _ALIKE <= runs <= one.pack_size * _ALIKE]
        seconds = [one.pace * max(one.pack_size, runs) for one in near]
    return Range(min(seconds), max(seconds)) if seconds else None


def record_seconds(run: RunSpec, device: torch.device) -> float:
    """Return the seconds that a run takes beside its updates, measured: on one of a single update, kept nowhere."""
    from lrd.training import train

    # Without a curriculum, for which a task that was shortened may have no smaller gaps.
    least = replace(without(run.training), max_updates=1, eval_samples=1, test_samples=1)
    run = replace(shortened(run), training=least)
    took = 0.0
    with tempfile.TemporaryDirectory(prefix="lrd-plan-") as folder, suppress(RuntimeError, MemoryError, RecordError):
        for seed in (0, 1):  # the first one imports and compiles
            start = clock(device)
            train([replace(run, seed=seed)], Place(runs_dir=folder), NullTracker(), device)
            took = clock(device) - start
    return took


def _wall(plan: Plan, kinds: Sequence[PackKind], workers: int, start: float) -> Range:
    """Return when the last pack is done; kinds without a time count for nothing."""
    each = {
        pack.number: (kind.seconds or Range(0, 0), len(pack.jobs) / kind.largest)
        for kind in kinds
        for pack in kind.packs
    }
    packs = [each[pack.number] for pack in plan.packs]
    least = makespan([seconds.least * share for seconds, share in packs], [0.0] * workers)
    return Range(least, start + makespan([seconds.most * share for seconds, share in packs], [0.0] * workers))


def process_bytes() -> int:
    """Return the most memory that this process ever had; it has imported what a worker imports."""
    from lrd import training  # noqa: F401

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def in_words(forecast: Forecast) -> str:
    """Return time and memory of the whole, where they come from, and a row for each kind of pack."""
    f = forecast
    workers = f"{f.workers} workers" if f.workers > 1 else "one worker"
    early = any(kind.run.training.stop_when_solved for kind in f.kinds)
    each = f", {memory(WORKER_BYTES)} a worker" if f.workers > 1 else ""
    where = "on its GPU" if f.on_gpu else "for the largest pack"
    return "\n".join(
        [
            f"{span(*f.seconds)} with {workers}" + (": the less, the sooner runs are solved" if early else ""),
            f"about {memory(f.bytes)} of memory at the peak: {memory(f.shared_bytes)} for lrd itself{each} and up to "
            f"{memory(f.pack_bytes)} {where}",
            _source(f) + ("; it is busy now, which makes training longer" if f.load > _BUSY else ""),
            *([_norms(f)] if f.with_norms else []),
            "",
            table(_HEADER, [_row(kinds) for kinds in _merged(f.kinds)]),
        ]
    )


def _source(f: Forecast) -> str:
    recorded, lost = (sum(flags) for flags in zip(*((k.recorded, k.seconds is None) for k in f.kinds), strict=True))
    sources = ["finished runs of the same kind", "a few updates of packs like these, measured here"]
    note = f"; {lost} of {len(f.kinds)} kinds of packs could not be measured and are left out" if lost else ""
    return "time from " + ", else ".join(sources[0 if recorded else 1 : 1 if recorded == len(f.kinds) else 2]) + note


def _norms(f: Forecast) -> str:
    runs = sum(kind.runs for kind in f.kinds)
    return f"the norms of the training loss's gradient at every update are recorded in {f.with_norms} of {runs} runs"


def _row(kinds: Sequence[PackKind]) -> list[str]:
    run = kinds[0].run
    sizes = sorted({len(pack.jobs) for kind in kinds for pack in kind.packs})
    known = [kind.seconds for kind in kinds if kind.seconds]
    took = span(min(s.least for s in known), max(s.most for s in known)) if known else "?"
    return [
        run.task.name,
        str(run.task.gap),
        network_name(run.cell),
        str(run.cell.hidden_size),
        str(sum(kind.runs for kind in kinds)),
        str(sum(len(kind.packs) for kind in kinds)),
        str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}",
        str(kinds[0].updates),
        took,
        memory(max(kind.bytes for kind in kinds)),
    ]


def _merged(kinds: Sequence[PackKind]) -> list[list[PackKind]]:
    """Return kinds that the table's columns cannot tell apart as one row."""
    rows: dict[tuple[object, ...], list[PackKind]] = {}
    for kind in kinds:
        run = kind.run
        name = network_name(run.cell)
        rows.setdefault((run.task.name, run.task.gap, name, run.cell.hidden_size, kind.updates), []).append(kind)
    return [rows[key] for key in sorted(rows, key=lambda key: [str(key[0]), key[1], str(key[2]), *key[3:]])]
