"""Quiet steps against what sequences show: where it can be said for every sample, no item stands among them."""

from __future__ import annotations

import pytest
import torch
from cases_of_tasks import KINDS, Kind
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Digits, Multiplication, Task

POINTS = 3  # that a slope takes
#: Kinds whose items may stand right before an answer that needs them: their quiet steps are all there are.
NEVER_QUIET = {
    "adding-arjovsky2016",
    "adding-bai2018",
    "variable_copy",
    "variable_copy-1",
    "selective_copy",
    "memory_capacity",
    "delay-voelker2019",
    "counting-anbn",
    "counting-anbncn",
    "text",
    "warp-variable",
    "warp-variable_padded",
}
QUIET = [kind for kind in KINDS if str(kind) not in NEVER_QUIET]
SEEDS = torch.tensor([5, 6])


def before_answer(task: Task, batch: Batch, steps: Tensor, answer: int = -1) -> Tensor:
    """How many steps before an answer of each sample these steps lie."""
    return task.answer_steps(batch, answer) - steps


def first_quiet_lag(task: Task) -> int:
    return task.loss_steps[-1] - task.quiet_steps.start


@settings(max_examples=60)
@given(st.sampled_from(QUIET), st.integers(22, 60), st.integers(0, 2**31), st.integers(0, 10**6))
def test_no_item_is_shown_behind_the_first_quiet_step(kind: Kind, gap: int, seed: int, step: int) -> None:
    task = kind.of_gap(gap)
    batch = task.batch(torch.tensor([seed]), "train", step, 20)
    for item in task.shown(batch):
        assert int(before_answer(task, batch, item.steps).min()) >= first_quiet_lag(task), item.name
    assert len(task.quiet_steps) >= POINTS


@pytest.mark.parametrize("name", sorted(NEVER_QUIET))
def test_where_an_item_may_stand_before_the_answer_there_is_no_room_for_a_slope(name: str) -> None:
    (kind,) = (kind for kind in KINDS if str(kind) == name)
    task = kind.of_gap(22)
    batch = task.batch(SEEDS, "train", 0, 500)
    shown = [int(before_answer(task, batch, item.steps, 0).min()) for item in task.shown(batch)]
    assert min(task.smallest_lag, *shown) - 1 < POINTS, "steps between the two"


@settings(max_examples=60)
@given(
    st.sampled_from([Adding, Multiplication]),
    st.sampled_from(["hochreiter1997", "pascanu2013"]),
    st.integers(22, 80),
    st.integers(0, 2**31),
)
def test_no_mark_stands_among_the_quiet_steps(kind: type, convention: str, gap: int, seed: int) -> None:
    """Against the inputs themselves: not the marks 1 of the numbers, nor the marks -1 of the ends (of 1997)."""
    task = kind(gap=gap, convention=convention)
    batch = task.batch(torch.tensor([seed]), "probe", 0, 40)
    marked = batch.inputs[..., 1] != 0
    steps = torch.arange(len(marked))[:, None, None]
    aligned = before_answer(task, batch, steps)  # [time, runs, batch]
    quiet = (aligned <= first_quiet_lag(task)) & (aligned > task.loss_steps[-1] - task.quiet_steps.stop)
    assert int(quiet.sum()) == len(task.quiet_steps) * 40, "every sample has them all"
    assert not bool((marked & quiet).any())


@pytest.mark.parametrize("convention", ["hochreiter1997", "pascanu2013"])
@pytest.mark.parametrize("kind", [Adding, Multiplication])
def test_the_quiet_steps_begin_right_behind_the_latest_mark(kind: type, convention: str) -> None:
    task = kind(gap=22, convention=convention)
    batch = task.batch(SEEDS, "train", 0, 4000)
    latest = min(int(before_answer(task, batch, item.steps).min()) for item in task.shown(batch))
    assert first_quiet_lag(task) == latest - 1


def test_digits_are_quiet_behind_the_last_pixel() -> None:
    assert Digits(gap=20).quiet_steps == range(63, 83)
    assert Digits(gap=3).quiet_steps == range(63, 66)
    assert Digits(gap=2).quiet_steps == range(65)  # no room for a slope
    assert Digits(gap=0).quiet_steps == range(63)
