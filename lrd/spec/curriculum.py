"""The gaps that a curriculum trains a task on: which smaller ones a task has that leave the network as it is."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from lrd.options import OptionError
from lrd.tasks import Task


@lru_cache(maxsize=1024)
def gaps(task: Task, least: int | None) -> range:
    """Return the gaps of a curriculum, the last of which is the task's own.

    Args:
        task: The task at the gap that is to be learnt.
        least: The smallest gap; None: the smallest one from which on the task has every gap up to its own.

    Raises:
        OptionError: the task does not have all of these gaps, or none below its own.
    """
    if least is not None and least >= task.gap:
        raise OptionError("curriculum_from", f"must be < task.gap, {task.gap}, got {least}")
    first, why = task.gap, f"it is {task.gap} already"
    while first > (least or 0):
        if reason := _unlike(task, first - 1):
            why = reason
            break
        first -= 1
    if first == task.gap or dataclasses.replace(task, gap=first).sequence_length >= task.sequence_length:
        why = why if first == task.gap else "its sequences are no shorter at smaller gaps"
        raise OptionError("curriculum", f"needs smaller gaps, {task.name} has none: {why}; use curriculum=none")
    if least is not None and first > least:
        raise OptionError("curriculum_from", f"must be >= {first} for this task ({why}), got {least}")
    return range(first, task.gap + 1)


def _unlike(task: Task, gap: int) -> str:
    """Return why a network for a task is none for the task at another gap; "" where it is."""
    try:
        other = dataclasses.replace(task, gap=gap)
        for name in ("input_size", "output_size", "classification", "logistic"):
            mine, its = getattr(task, name), getattr(other, name)
            if mine != its:
                return f"at gap {gap} its {name} is {its} and not {mine}"
    except OptionError as error:
        return f"task.{error.key} {error}"
    except Exception as error:  # whatever a researcher's class raises
        return f"at gap {gap}, {type(error).__name__}: {' '.join(str(error).split())}"
    return ""
