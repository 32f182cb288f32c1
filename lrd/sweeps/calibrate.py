"""How fast this machine is: a few updates, evaluations and looks of the packs in question, timed in under a second.

A factor is measured time over the time that ``lrd.sweeps.prices`` says. The formula carries it from the shapes that
were measured to those that were not.

Of a GPU the formula knows nothing: there 64 runs may take no longer than 8. So packs are measured as they are planned,
of as many runs and of whole sequences, once what is compiled and recorded is; the factor makes the formula say just
that. What is not measured gets the seconds of the measured shape of its cell whose sequences are nearest in length, in
proportion to the length: steps come one after another, runs, samples and units side by side. That is rough.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from lrd.probes import GradientFlow, Subject
from lrd.spec import RunSpec
from lrd.sweeps.prices import ACTIONS, EVAL_CHUNK, action_seconds
from lrd.training import Pack
from lrd.training.recorded import WARM_UP

SECONDS = 0.6  # for everything that is measured, give or take the last measurement
GPU_SECONDS = 20.0  # the same on a GPU, whose programs are compiled before they are timed
ONE = 0.04  # that one action may take: longer sequences are shortened, since time grows with their length
LEAST = 2  # shapes of each cell, whatever they take
Factors = dict[str, float]


def calibrate(
    shapes: Sequence[tuple[RunSpec, int]], device: torch.device, seconds: float | None = None
) -> list[Factors | None]:
    """For each shape (a run, and how many like it are in a pack) the factor of each action, by name.

    Shapes are measured in turn, the first one of each cell before the second one of any, until ``seconds`` are over
    (default: ``seconds_for`` the device) and each cell has two; the others get the median of their cell's, on a GPU see
    above. None: torch could not do it, for want of memory, say.
    """
    torch.set_num_threads(1)  # as in a worker
    torch.set_flush_denormal(True)
    end = time.perf_counter() + (seconds_for(device) if seconds is None else seconds)
    measured: dict[int, Factors] = {}
    by_cell: dict[type, list[Factors]] = {}
    for place in _in_turn(shapes):
        run, runs = shapes[place]
        known = by_cell.setdefault(type(run.cell), [])
        if len(known) >= LEAST and time.perf_counter() > end:
            continue
        try:
            measured[place] = _measure(run, runs, device)
        except (RuntimeError, MemoryError):
            continue
        known.append(measured[place])
    if device.type != "cpu":
        known_shapes = [(*shapes[place], factors) for place, factors in measured.items()]
        return [measured.get(place) or _nearest(*shape, known_shapes) for place, shape in enumerate(shapes)]
    return [measured.get(place) or _middle(by_cell[type(run.cell)]) for place, (run, _) in enumerate(shapes)]


def seconds_for(device: torch.device) -> float:
    """What a calibration may take, give or take the last measurement."""
    return SECONDS if device.type == "cpu" else GPU_SECONDS


def _in_turn(shapes: Sequence[tuple[RunSpec, int]]) -> list[int]:
    before: dict[type, int] = {}
    turns = []
    for place, (run, _) in enumerate(shapes):
        turn = before[type(run.cell)] = before.get(type(run.cell), -1) + 1
        turns.append((turn, place))
    return [place for _, place in sorted(turns)]


def _middle(known: Sequence[Factors]) -> Factors | None:
    return {action: statistics.median(f[action] for f in known) for action in ACTIONS} if known else None


def _nearest(run: RunSpec, runs: int, measured: Sequence[tuple[RunSpec, int, Factors]]) -> Factors | None:
    """Factors by which a shape takes as long as that of its cell with the nearest length, in proportion to lengths."""
    length = run.task.sequence_length

    def distance(shape: tuple[RunSpec, int, Factors]) -> tuple[float, float]:
        other, company, _ = shape
        return abs(math.log(other.task.sequence_length / length)), abs(math.log(company / runs))

    same = [shape for shape in measured if type(shape[0].cell) is type(run.cell)]
    if not same:
        return None
    other, company, factors = min(same, key=distance)
    ratio = length / other.task.sequence_length
    return {
        action: factors[action] * ratio * _said(action, other, company) / _said(action, run, runs) for action in ACTIONS
    }


def _said(action: str, run: RunSpec, runs: int) -> float:
    return action_seconds(action, run, runs, _samples(action, run))


def _measure(run: RunSpec, runs: int, device: torch.device) -> Factors:
    """The factors of one shape; looks that are not wanted are taken to be as dear as said."""
    on_gpu = device.type != "cpu"
    run = run if on_gpu else shortened(run, runs)
    pack = Pack.of_copies(run, runs, device)
    size = min(EVAL_CHUNK, max(run.training.eval_samples, run.training.test_samples))
    probe = _probe(run)

    def look() -> None:
        probe.tables_of(Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds))

    def spent(call: Callable[[], object], before: int) -> float:
        for _ in range(before):
            call()
        times: list[float] = []
        while len(times) < 2 or (len(times) < 4 and sum(times) < ONE):
            if on_gpu:
                torch.cuda.synchronize(device)
            start = time.perf_counter()
            call()
            if on_gpu:
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
        return min(times)  # what comes on top is other work of the machine, or memory and code found the first time

    calls: Mapping[str, tuple[Callable[[], object], int]] = {
        "update": (pack.step, run.training.batch_size),
        "evaluate": (lambda: pack.evaluate("eval", size), size),
        "look": (look, probe.samples),
    }
    factors = dict.fromkeys(ACTIONS, 1.0)
    for action, (call, samples) in calls.items():
        if action != "look" or run.probes:
            # On a GPU an update is compiled, then recorded, and what it takes from then on is what counts.
            before = (WARM_UP + 1 if action == "update" else 1) if on_gpu else 0
            factors[action] = spent(call, before) / action_seconds(action, run, runs, samples)
    return factors


def shortened(run: RunSpec, runs: int) -> RunSpec:
    """The run with the largest gap, halved so often as its task allows, at which no action should take long."""
    while max(action_seconds(action, run, runs, _samples(action, run)) for action in ACTIONS) > ONE:
        try:
            task = dataclasses.replace(run.task, gap=run.task.gap // 2)
        except ValueError:  # below the least gap of its convention
            break
        if task.sequence_length >= run.task.sequence_length:
            break
        run = dataclasses.replace(run, task=task)
    return run


def _probe(run: RunSpec) -> GradientFlow:
    """What a look is timed by; the answer is one that a shortened task has too."""
    found = next((probe for probe in run.probes if isinstance(probe, GradientFlow)), GradientFlow())
    return dataclasses.replace(found, answer="all" if found.answer == "all" else "last")


def _samples(action: str, run: RunSpec) -> int:
    return {"update": run.training.batch_size, "evaluate": EVAL_CHUNK, "look": _probe(run).samples}[action]
