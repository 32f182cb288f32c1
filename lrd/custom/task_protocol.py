"""The protocol of tasks, and the check of a task against it, with a few small batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch

from lrd.custom.devices import check_device
from lrd.custom.protocol import Protocol, ProtocolError, called, type_of
from lrd.shapes import Tensor
from lrd.tasks import TASKS, Batch, Task

_SAMPLES = 4
_LINES = (
    "a dataclass(frozen=True) derived from lrd.tasks.Task; its options are option fields with defaults, one is `gap`",
    "`name` is what it is called; criterion says in words when it is solved, and who says so",
    "sequence_length, loss_steps, answers, quiet_steps and the lags are steps of a sequence (0-based)",
    "draw(stream, batch_size) gives a Batch: inputs [time, runs, batch, input_size], float32; targets at loss_steps:"
    " classes [steps, runs, batch] below output_size or values [steps, runs, batch, output_size]; on the seeds' device",
    "weights, where there are any, are 1 where a sample is scored and 0 on its padding",
    "draw takes every random number from the stream, and a run's sequences do not depend on its companions",
    "metrics(outputs, batch) gives means [runs] by name, `loss` among them; chance() gives the same names",
    "solved(metrics) says for each run whether it meets the criterion: not by chance, and not where numbers are nan",
)


def check_task(task: Task) -> list[str]:
    """Hold a task to its protocol.

    Returns:
        Remarks; there are none so far.

    Raises:
        ProtocolError: the first line that is broken.
    """
    _check_geometry(task)
    seeds = torch.tensor([1, 2])
    batch = called(4, "draw", task.batch, seeds, "train", 0, _SAMPLES)
    called(4, "the check of a batch", _check_batch, task, batch)
    called(6, "the check of its draws", _check_draws, task, batch, seeds)
    called(7, "the check of metrics", _check_success, task, batch)
    called(4, "the check of devices", _check_device, task, seeds)
    return []


def _check_device(task: Task, seeds: Tensor) -> None:
    def drawn() -> list[Tensor | None]:
        batch = task.batch(seeds.to("meta"), "train", 0, _SAMPLES)
        return [batch.inputs, batch.targets, batch.weights]

    check_device(4, "draw", drawn, "the stream's seeds", "write device=stream.seeds.device")


def _check_geometry(task: Task) -> None:
    criterion = called(2, "criterion", lambda: task.criterion)
    if not isinstance(criterion, str) or not criterion:
        raise ProtocolError(2, "criterion must be a text")
    called(3, "its geometry", _check_steps, task)
    for name in ("input_size", "output_size"):
        size = called(4, name, getattr, task, name)
        if not isinstance(size, int) or size < 1:
            raise ProtocolError(4, f"{name} must be a positive int, got {size!r}")


def _check_steps(task: Task) -> None:
    length, steps = task.sequence_length, task.loss_steps
    if not isinstance(length, int) or length < 1:
        raise ProtocolError(3, f"sequence_length must be a positive int, got {length!r}")
    for name in ("loss_steps", "quiet_steps"):
        part = getattr(task, name)
        if not isinstance(part, range) or not len(part) or not 0 <= part[0] <= part[-1] < length or part.step != 1:
            raise ProtocolError(3, f"{name} must be a range of steps below {length}, not empty, got {part!r}")
    for name in ("answers", "smallest_lag", "largest_lag"):
        if not isinstance(number := getattr(task, name), int):
            raise ProtocolError(3, f"{name} must be an int, got {number!r}")
    if not 1 <= task.answers <= len(steps):
        raise ProtocolError(3, f"answers must lie between 1 and the {len(steps)} loss steps, got {task.answers!r}")
    if not 0 <= task.smallest_lag <= task.largest_lag < length:
        lags = f"{task.smallest_lag!r} and {task.largest_lag!r}"
        raise ProtocolError(3, f"lags must be 0 <= smallest_lag <= largest_lag < {length}, got {lags}")


def _check_batch(task: Task, batch: Any) -> None:
    if not isinstance(batch, Batch):
        raise ProtocolError(4, f"it must give a lrd.tasks.Batch, got {type_of(batch)}")
    if not isinstance(task.classification, bool):
        raise ProtocolError(4, f"classification must be True or False, got {task.classification!r}")
    scored = (len(task.loss_steps), 2, _SAMPLES)
    _expect(4, "inputs", batch.inputs, (task.sequence_length, 2, _SAMPLES, task.input_size), torch.float32)
    if task.classification:
        _expect(4, "targets", batch.targets, scored, torch.int64)
        if not 0 <= int(batch.targets.min()) <= int(batch.targets.max()) < task.output_size:
            raise ProtocolError(4, f"targets must be classes below output_size, {task.output_size}")
    else:
        _expect(4, "targets", batch.targets, (*scored, task.output_size), torch.float32)
    if batch.weights is not None:
        _expect(5, "weights", batch.weights, scored, torch.float32)
        if not set(batch.weights.flatten().tolist()) <= {0.0, 1.0} or not (batch.weights.sum(0) > 0).all():
            raise ProtocolError(5, "weights must be 0 or 1, with at least one scored step a sample")
    for answer in (0, -1):
        step = called(3, "answer_steps", task.answer_steps, batch, answer)
        if not (step >= task.loss_steps[0]).all() or not (step <= task.loss_steps[-1]).all():
            raise ProtocolError(3, f"answer_steps(batch, {answer}) must lie in loss_steps")


def _expect(line: int, name: str, value: Any, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if not isinstance(value, Tensor) or value.shape != shape or value.dtype != dtype:
        got = f"{list(value.shape)}, {_plain(value.dtype)}" if isinstance(value, Tensor) else type(value).__name__
        raise ProtocolError(line, f"{name} must be {list(shape)}, {_plain(dtype)}, got {got}")


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_draws(task: Task, batch: Batch, seeds: Tensor) -> None:
    if not _equal(batch, task.batch(seeds, "train", 0, _SAMPLES)):
        raise ProtocolError(6, "the same seeds, split and step gave other sequences")
    if not _equal(batch.of_runs(slice(1, 2)), task.batch(seeds[1:], "train", 0, _SAMPLES)):
        raise ProtocolError(6, "a run alone has other sequences than the same run among others")
    others = [task.batch(seeds, "train", 1, _SAMPLES), task.batch(seeds, "test", 0, _SAMPLES)]
    others.append(task.batch(seeds + 7, "train", 0, _SAMPLES))
    for what, other in zip(("step", "split", "seed"), others, strict=True):
        if _equal(batch, other):
            raise ProtocolError(6, f"another {what} has the same sequences")


def _equal(a: Batch, b: Batch) -> bool:
    parts = [(a.inputs, b.inputs), (a.targets, b.targets)]
    if a.weights is not None and b.weights is not None:
        parts.append((a.weights, b.weights))
    return all(torch.equal(x, y) for x, y in parts)


def _check_success(task: Task, batch: Batch) -> None:
    zeros = torch.zeros(len(task.loss_steps), 2, _SAMPLES, task.output_size)
    metrics, chance = called(7, "metrics", task.metrics, zeros, batch), called(7, "chance", task.chance)
    for what, found in (("metrics", metrics), ("chance()", chance)):
        if not isinstance(found, Mapping):
            raise ProtocolError(7, f"{what} must give a dict by name, got {type_of(found)}")
        if wrong := [name for name in found if not isinstance(name, str)]:
            raise ProtocolError(7, f"{what} must give a dict by name, but a key is {wrong[0]!r}")
    if "loss" not in metrics:
        raise ProtocolError(7, f"`loss` is missing; there are {', '.join(metrics)}")
    if set(metrics) != set(chance):
        raise ProtocolError(7, f"chance() has {', '.join(chance)}, metrics {', '.join(metrics)}")
    for name, value in metrics.items():
        if not isinstance(value, Tensor) or value.shape != (2,):
            raise ProtocolError(7, f"{name} must be a tensor [runs]")
    for name, level in chance.items():
        if not isinstance(level, Real):
            raise ProtocolError(7, f"chance() must be finite numbers, but {name} is {type_of(level)}")
    if not all(math.isfinite(level) for level in chance.values()):
        raise ProtocolError(7, f"chance() must be finite numbers, got {chance}")
    by_chance = {name: torch.tensor([level]) for name, level in chance.items()}
    if bool(_solved(task, by_chance, 1).any()):
        raise ProtocolError(8, "the level of chance counts as solved")
    of_nan = called(7, "metrics", task.metrics, zeros * torch.nan, batch)
    if bool(_solved(task, of_nan, 2).any()):
        raise ProtocolError(8, "a run whose outputs are nan counts as solved")


def _solved(task: Task, metrics: Mapping[str, Tensor], runs: int) -> Tensor:
    """Return what a task says of runs, if it is a tensor of one truth value each."""
    solved = called(8, "solved", task.solved, metrics)
    if not isinstance(solved, Tensor):
        raise ProtocolError(8, f"solved must give a tensor [runs] of truth values, got {type_of(solved)}")
    if solved.shape != (runs,) or solved.dtype != torch.bool:
        got = f"{list(solved.shape)}, {_plain(solved.dtype)}"
        raise ProtocolError(8, f"solved must give a tensor [runs] of truth values, here [{runs}], bool, got {got}")
    return solved


TASK_PROTOCOL = Protocol(Task, TASKS, _LINES, check_task)
