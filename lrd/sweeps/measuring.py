"""What training a pack takes on this machine, measured: a few updates, part of an evaluation, each probe once or twice.

Measuring has a budget of seconds. Each family of packs (one cell, one set of options) is measured at least once, on
short sequences if its own are long. Then come the packs in question, the largest first, as long as they are expected
to fit into what is left. The others get the time of the nearest one that was measured, in proportion to their size.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import torch

from lrd.cells import parts_of
from lrd.probes import Probe, Subject, log_spaced
from lrd.spec import RunSpec
from lrd.sweeps.sizes import EVAL_CHUNK, preactivations
from lrd.training import Pack
from lrd.training.curriculum import RESTLESS, Curriculum, without
from lrd.training.norms_by_default import has_norms
from lrd.training.recorded import WARM_UP
from lrd.training.tricks import update_kernel

SECONDS, GPU_SECONDS = 3.0, 20.0  # for all packs together; on a GPU programs are compiled before they are timed
#: By what factor training may be faster, or slower, than the few updates that were measured: other workers share
#: caches and clock with it.
FASTER, SLOWER = 1.3, 1.6
_SHORT = 100  # steps of a sequence that any family can be measured on
_ENOUGH, _CALLS = 0.05, 16  # an action is repeated for so many seconds or so often, but at least twice
Shape = tuple[RunSpec, int]  # a run, and how many like it train in a pack


@dataclass(frozen=True)
class Costs:
    """Seconds of a pack for an update, for evaluating one sequence of each run, and for a measurement of each probe.

    The update is one at the task's own gap, also where a curriculum has smaller ones. On a CPU this is the processor's
    time, which it takes where nobody else is at work.
    """

    update: float
    sequence: float
    probes: tuple[float, ...]

    def times(self, factor: float) -> Costs:
        """Return all of them times a factor."""
        return Costs(self.update * factor, self.sequence * factor, tuple(probe * factor for probe in self.probes))

    def of(self, run: RunSpec, start: int, end: float) -> float:
        """Return the seconds from update ``start`` to the end, with all that is done on the way."""
        training, last = run.training, run.training.max_updates
        evaluations = math.ceil(end / training.eval_every) - start // training.eval_every + (start == 0)
        lengths = {run.task.sequence_length, *(there.task.sequence_length for there in run.tested)}
        tests = sum(lengths) / run.task.sequence_length  # of so many sequences as long as those of training
        sequences = evaluations * training.eval_samples + tests * training.test_samples
        measured = sum(
            seconds * moments_between(last, probe.per_decade, start, end)
            for probe, seconds in zip(run.probes, self.probes, strict=True)
        )
        share = Curriculum(run.task, training).share_of_steps(start, math.ceil(end))
        return (end - start) * share * self.update + sequences * self.sequence + measured


@lru_cache(maxsize=4096)
def moments_between(last: int, per_decade: int, start: int, end: float) -> int:
    """Return how often a probe measures a run of at most ``last`` updates between two of them; at the end always."""
    moments = log_spaced(last, per_decade)
    return sum(start < moment <= end for moment in moments) + (start == 0) + (end not in moments)


def measure(
    shapes: Sequence[Shape], device: torch.device, seconds: float | None = None
) -> tuple[list[Costs | None], float]:
    """Return the costs of each shape, and by what factor the machine is slower now, for it has other work too.

    The costs are None where torch could not train a shape's family at all, for want of memory, say.

    Args:
        shapes: the packs in question.
        device: where they train.
        seconds: the budget; default: ``SECONDS``, on a GPU ``GPU_SECONDS``.
    """
    torch.set_num_threads(1)  # as in a worker
    torch.set_flush_denormal(True)
    seconds = seconds if seconds is not None else SECONDS if device.type == "cpu" else GPU_SECONDS
    begun, worked = time.perf_counter(), clock(device)
    end = begun + seconds
    measured: dict[tuple[object, ...], list[_Measured]] = {}

    def add(shape: Shape) -> None:
        with suppress(RuntimeError, MemoryError):
            measured.setdefault(family(*shape, device), []).append(_Measured(*shape, _measured(*shape, device)))

    largest_first = sorted(shapes, key=lambda shape: shape[1] * preactivations(shape[0]), reverse=True)
    for run, runs in largest_first:
        if family(run, runs, device) not in measured:
            add((shortened(run), runs))
    for run, runs in largest_first:
        near = _nearest(run, runs, measured.get(family(run, runs, device), ()), device)
        if near is None or (near.run.task, near.runs) != (run.task, runs):
            expected = 0 if near is None else near.took * near.ratio(run, runs, device)
            if expected < end - time.perf_counter():
                add((run, runs))
    slower = max(1.0, (time.perf_counter() - begun) / max(1e-9, clock(device) - worked))
    found: list[Costs | None] = []
    for run, runs in shapes:
        near = _nearest(run, runs, measured.get(family(run, runs, device), ()), device)
        found.append(near.costs.times(near.ratio(run, runs, device)) if near else None)
    return found, slower


@dataclass(frozen=True)
class _Measured:
    run: RunSpec
    runs: int
    costs: Costs

    @property
    def took(self) -> float:
        """Return the seconds that measuring it took, at the least: each action once for nothing and then twice."""
        return 3 * (self.costs.update + EVAL_CHUNK * self.costs.sequence + sum(self.costs.probes))

    def ratio(self, run: RunSpec, runs: int, device: torch.device) -> float:
        """Return how much longer such a pack takes: on a GPU only steps come one after another, on a CPU all work."""
        if device.type != "cpu":
            return run.task.sequence_length / self.run.task.sequence_length
        return runs * preactivations(run) / (self.runs * preactivations(self.run))


def _nearest(run: RunSpec, runs: int, known: Sequence[_Measured], device: torch.device) -> _Measured | None:
    def distance(other: _Measured) -> tuple[float, float]:
        ratio, company = other.ratio(run, runs, device), runs / other.runs
        return max(ratio, 1 / ratio), max(company, 1 / company)

    return min(known, key=distance, default=None)


def family(run: RunSpec, runs: int = 1, device: torch.device | None = None) -> tuple[object, ...]:
    """Return what decides, beside sizes, how long a pack takes: packs of one family are scaled to each other.

    Args:
        run: One of the runs.
        runs: How many runs the pack has.
        device: Where it is trained; None: on a CPU.
    """
    training = run.training
    numbers = (training.omega, training.h_detach, training.norm_stabilizer, run.optimizer.gradient_noise)
    tricks = (*map(bool, numbers), has_norms(run, device, runs), training.precision, training.curriculum in RESTLESS)
    network = type(run.cell), len(parts_of(run.cell)), bool(run.cell.dropout)
    return network, update_kernel(run, device, runs), tricks, tuple(probe.name for probe in run.probes)


def shortened(run: RunSpec) -> RunSpec:
    """Return the run with its gap halved until a sequence has no more than ``_SHORT`` steps, or as far as that goes."""
    while run.task.sequence_length > _SHORT:
        try:
            task = dataclasses.replace(run.task, gap=run.task.gap // 2)
        except ValueError:  # below the least gap of its convention
            break
        if task.sequence_length >= run.task.sequence_length:
            break
        run = dataclasses.replace(run, task=task)
    return run


def _measured(run: RunSpec, runs: int, device: torch.device) -> Costs:
    at_its_gap = dataclasses.replace(run, training=without(run.training))
    if run.training.curriculum in RESTLESS:  # whose updates are not recorded
        pack = Pack.of_copies(at_its_gap, runs, device, record=lambda update, device: update)
    else:
        pack = Pack.of_copies(at_its_gap, runs, device)
    size = min(EVAL_CHUNK, max(run.training.eval_samples, run.training.test_samples))

    def probing(probe: Probe) -> Callable[[], object]:
        if getattr(probe, "answer", "all") != "all":  # one that a shortened task has too
            probe = dataclasses.replace(probe, answer="last")  # type: ignore[call-arg]
        return lambda: probe.tables_of(Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds))

    on_gpu = device.type != "cpu"
    return Costs(
        # On a GPU an update is compiled, then recorded, and what it takes from then on is what counts.
        update=_timed(pack.step, device, before=WARM_UP + 1 if on_gpu else 1),
        sequence=_timed(lambda: pack.evaluate("eval", size), device) / size,
        probes=tuple(_timed(probing(probe), device) for probe in run.probes),
    )


def _timed(call: Callable[[], object], device: torch.device, before: int = 1) -> float:
    """Return the mean seconds of a call, after a few that do not count."""
    for _ in range(before):
        call()
    begun, start, calls = time.perf_counter(), clock(device), 0
    while calls < 2 or (calls < _CALLS and time.perf_counter() - begun < _ENOUGH):
        call()
        calls += 1
    return (clock(device) - start) / calls


def clock(device: torch.device) -> float:
    """Return the time that this process had of a CPU, or the moment at which a GPU has done all it was asked to."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
