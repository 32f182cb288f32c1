from __future__ import annotations

import pytest
import torch

from lrd.tasks import TASKS, TwoSequence
from lrd.tasks.one_answer import OneAnswer

TASK = TwoSequence(gap=10)  # 10 or 11 steps: the loss steps are 9 and 10
LENGTHS = torch.tensor([[10, 11, 11], [11, 10, 10]])


def test_weights_mark_each_samples_last_step() -> None:
    assert TASK.loss_steps == range(9, 11)
    assert TASK.ends(LENGTHS).tolist() == [[[1, 0, 0], [0, 1, 1]], [[0, 1, 1], [1, 0, 0]]]


def test_targets_stand_at_every_step_that_may_be_the_last() -> None:
    answers = torch.arange(6.0).view(2, 3, 1)
    targets = TASK.at_every_loss_step(answers)
    assert targets.shape == (2, 2, 3, 1)
    assert torch.equal(targets[0], answers)
    assert torch.equal(targets[1], answers)


def test_values_at_the_answer_are_those_of_each_samples_own_step() -> None:
    batch = TASK.batch(torch.tensor([1, 2]), "train", 0, 3)
    last = TASK.answer_steps(batch, 0)
    steps = torch.tensor([9.0, 10.0])[:, None, None, None].expand(2, 2, 3, 4)
    assert torch.equal(TASK.at_answer(steps, batch), last[..., None].expand(2, 3, 4).float())
    assert torch.equal(TASK.at_answer(steps[..., 0], batch), last.float())


def test_without_weights_the_answer_is_at_the_last_step() -> None:
    task = TASKS["temporal_order"](gap=20, convention="pascanu2013")
    assert isinstance(task, OneAnswer)
    batch = task.batch(torch.tensor([1]), "train", 0, 2)
    values = torch.arange(8.0).view(1, 1, 2, 4)
    assert torch.equal(task.at_answer(values, batch), values[-1])
    assert task.answer_steps(batch, -1).tolist() == [[19, 19]]


@pytest.mark.parametrize("answer", [1, -2])
def test_there_is_one_answer(answer: int) -> None:
    batch = TASK.batch(torch.tensor([1]), "train", 0, 3)
    with pytest.raises(IndexError, match="two_sequence has one answer"):
        TASK.answer_steps(batch, answer)


def test_quiet_steps_begin_when_every_sample_has_shown_what_is_asked_for() -> None:
    assert TASK.quiet_steps == range(3, 10)  # the class is shown up to step 2, 7 steps before the earliest answer
