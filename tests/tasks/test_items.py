"""What the sequences of each task have shown."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrd.options import option
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Copy, Delay, Item, Task
from lrd.tasks.items import spread

SEEDS = torch.tensor([3, 4])
CONVENTIONS = [
    *(Copy(gap=3, items=4, symbols=5, convention=c) for c in ("arjovsky2016", "lezcano2019", "bai2018", "gu2020")),
    *(Adding(gap=40, convention=c) for c in ("arjovsky2016", "bai2018", "hochreiter1997", "pascanu2013")),
    Delay(gap=4, tokens=3, alphabet=5),
    Delay(gap=4, convention="gu2022"),
    Delay(gap=24, convention="voelker2019"),
]


def shown(task: Task) -> tuple[Batch, list[Item]]:
    batch = task.batch(SEEDS, "probe", 0, 6)
    return batch, task.shown(batch)


@pytest.mark.parametrize("task", CONVENTIONS, ids=str)
def test_shapes_names_and_companions(task: Task) -> None:
    batch, items = shown(task)
    assert len({item.name for item in items}) == len(items) > 0
    for k, item in enumerate(items):
        assert item.values.shape == item.steps.shape == (2, 6)
        assert int(item.steps.min()) >= 0
        assert bool((item.steps <= task.answer_steps(batch, -1)).all())
        if item.classes is not None:
            assert 0 <= int(item.values.min()) <= int(item.values.max()) < item.classes
        alone = task.shown(task.batch(SEEDS[1:], "probe", 0, 6))[k]
        assert torch.equal(alone.values[0], item.values[1])
        assert torch.equal(alone.steps[0], item.steps[1])


@pytest.mark.parametrize("convention", ["arjovsky2016", "lezcano2019", "bai2018", "gu2020"])
def test_copy_shows_its_items_each_at_its_step(convention: str) -> None:
    batch, items = shown(Copy(gap=3, items=12, symbols=5, convention=convention))
    assert [item.name for item in items] == [f"item {k}" for k in range(1, 13)]
    codes = batch.inputs[..., 0] if convention == "bai2018" else batch.inputs.argmax(-1)
    for k, item in enumerate(items):
        assert (item.steps == k).all()
        assert item.classes == 5
        assert torch.equal(item.values + 1, codes[k].long())


@pytest.mark.parametrize("convention", ["arjovsky2016", "bai2018", "hochreiter1997", "pascanu2013"])
def test_adding_shows_two_numbers_and_then_their_sum(convention: str) -> None:
    task = Adding(gap=40, convention=convention)
    batch, (first, second, both) = shown(task)
    assert [first.name, second.name, both.name] == ["first number", "second number", "sum"]
    assert bool((first.steps < second.steps).all())
    assert torch.equal(second.steps, both.steps)
    for item in (first, second):
        pair = batch.inputs.gather(0, item.steps[None, ..., None].expand(-1, -1, -1, 2))[0]
        assert (pair[..., 1] == 1).all()
        assert torch.equal(pair[..., 0], item.values)
    answer = batch.targets.gather(0, (task.answer_steps(batch, 0) - task.loss_steps.start)[None, ..., None])[0, ..., 0]
    scale, offset = {"hochreiter1997": (0.25, 0.5), "pascanu2013": (0.5, 0.0)}.get(convention, (1.0, 0.0))
    torch.testing.assert_close(both.values * scale + offset, answer, rtol=0, atol=4 * 2**-23)


def test_delay_shows_the_tokens_that_are_asked_for() -> None:
    batch, items = shown(Delay(gap=6, tokens=3, alphabet=5))
    assert [item.name for item in items] == ["answer 1", "answer 2", "answer 3"]
    for k, item in enumerate(items):
        assert (item.steps == k).all()
        assert torch.equal(item.values, batch.inputs[k].argmax(-1))


@pytest.mark.parametrize(("convention", "delays"), [("gu2022", [24]), ("voelker2019", [6, 12, 18, 24])])
def test_delay_shows_values_of_its_signal_but_not_the_present_one(convention: str, delays: list[int]) -> None:
    task = Delay(gap=24, convention=convention)
    batch, items = shown(task)
    assert len(items) == 10 * len(delays)
    for k, item in enumerate(items):
        assert item.classes is None
        assert torch.equal(item.values, batch.inputs[..., 0].gather(0, item.steps[None])[0])
        if k >= len(items) - len(delays):  # of the last answer
            assert (item.steps == task.sequence_length - 1 - delays[k % len(delays)]).all()


@dataclass(frozen=True)
class Pairs(Task):
    """Says nothing about what it shows: 30 answers of two values each."""

    gap: int = option(5, "steps", ge=1)
    name, classification, criterion = "pairs", False, "none"
    smallest_lag = largest_lag = 2
    sequence_length, loss_steps, answers, input_size, output_size = 31, range(31), 30, 2, 2

    def draw(self, stream: object, batch_size: int) -> Batch:
        values = stream.uniform(31, batch_size, 2).transpose(0, 1)
        return Batch(values, values.roll(2, 0))

    def metrics(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, batch)}

    def chance(self) -> dict[str, float]:
        return {"loss": 1.0}

    def solved(self, metrics: Mapping[str, Tensor]) -> Tensor:
        return metrics["loss"] < 0


def test_a_task_that_says_nothing_shows_what_its_answers_ask_for() -> None:
    batch, items = shown(Pairs())
    assert len(items) == 20
    assert items[0].name == "answer 1, output 1"
    assert items[-1].name == "answer 30, output 2"
    assert (items[0].steps == 0).all()  # asked for at step 1, which lies less than two steps from the start
    assert (items[-1].steps == 28).all()
    for k, item in enumerate(items[2:]):
        assert torch.equal(item.values, batch.inputs[int(item.steps[0, 0]), ..., k % 2])


@given(st.integers(1, 300), st.integers(2, 20))
def test_spread_has_both_ends_and_even_distances(count: int, most: int) -> None:
    numbers = spread(count, most)
    assert len(numbers) == min(count, most)
    assert (numbers[0], numbers[-1]) == (0, count - 1)
    distances = {b - a for a, b in itertools.pairwise(numbers)}
    assert not distances or max(distances) - min(distances) <= 1
