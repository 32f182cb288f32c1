"""The gaps of a curriculum: those of a task that leave the network as it is."""

from __future__ import annotations

import dataclasses

import pytest

from lrd.options import OptionError
from lrd.spec.curriculum import gaps
from lrd.tasks import TASKS, Adding, Copy, Delay, Latch, LongLag, Permutation, Reber, ScalarMemory, Task, TemporalOrder


@pytest.mark.parametrize(
    ("task", "least"),
    [
        (Copy(gap=9), 1),
        (Permutation(gap=9), 2),
        (Adding(gap=30, convention="hochreiter1997"), 22),
        (TemporalOrder(gap=40), 20),
        (Latch(gap=12, class_steps=4), 5),
        (Delay(gap=30, convention="voelker2019"), 21),
        (LongLag(gap=9, convention="very_long", distractors=5), 2),
        (Reber(gap=30), 1),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_by_default_they_begin_where_the_tasks_do(task: Task, least: int) -> None:
    assert gaps(task, None) == range(least, task.gap + 1)
    assert gaps(task, least + 1) == range(least + 1, task.gap + 1)
    with pytest.raises(OptionError, match=f"^must be >= {least} for this task ") as error:
        gaps(task, least - 1)
    assert error.value.key == "curriculum_from"


@pytest.mark.parametrize("task", [ScalarMemory(), LongLag(), Reber(gap=5), Copy(gap=1)], ids=lambda task: task.name)
def test_a_task_without_any_is_refused(task: Task) -> None:
    with pytest.raises(
        OptionError, match=rf"^needs smaller gaps, {task.name} has none: .*; use curriculum=none$"
    ) as error:
        gaps(task, None)
    assert error.value.key == "curriculum"


@dataclasses.dataclass(frozen=True)
class Fragile(Copy):
    """Somebody's own, which says in its own way that a gap is too small."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap <= 6:
            raise RuntimeError("no\nsuch gap")


def test_a_class_of_ones_own_that_breaks_at_smaller_gaps_has_the_others() -> None:
    assert gaps(Fragile(gap=9), None) == range(7, 10)
    with pytest.raises(OptionError, match=r"^needs smaller gaps, copy has none: at gap 6, RuntimeError: no such gap; "):
        gaps(Fragile(gap=7), None)


@pytest.mark.parametrize("least", [9, 10])
def test_the_smallest_is_below_the_tasks_own(least: int) -> None:
    with pytest.raises(OptionError, match=rf"^must be < task.gap, 9, got {least}$"):
        gaps(Copy(gap=9), least)


def test_every_task_has_some_or_says_why_not() -> None:
    refused = set()
    for name, kind in TASKS.items():
        try:
            gaps(kind(), None)
        except OptionError:
            refused.add(name)
    assert refused == {"memory_capacity", "long_lag", "reber", "continual_reber", "warp"}
