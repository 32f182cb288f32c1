from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrd.shapes import Tensor
from lrd.tasks import Batch, Copy

CONVENTIONS = ("arjovsky2016", "lezcano2019", "bai2018", "gu2020")
every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


def codes(task: Copy, batch: Batch) -> Tensor:
    """Inputs as code numbers [time, runs, batch]: 0 blank, 1..symbols, symbols + 1 the cue."""
    if task.convention == "bai2018":
        return batch.inputs[..., 0].long()
    assert torch.equal(batch.inputs.sum(-1), torch.ones(batch.inputs.shape[:3]))
    assert set(batch.inputs.unique().tolist()) == {0.0, 1.0}
    return batch.inputs.argmax(-1)


@pytest.mark.parametrize(
    ("convention", "shown", "asked"),
    [
        # Two items (a, b), a gap of 3; "." blank, "!" cue.
        ("arjovsky2016", "ab..!..", ".....ab"),
        ("lezcano2019", "ab...!.", ".....ab"),
        ("bai2018", "ab..!!!", ".....ab"),
        ("gu2020", "ab...!!", "ab"),
    ],
)
def test_by_hand(convention: str, shown: str, asked: str) -> None:
    task = Copy(gap=3, convention=convention, items=2, symbols=3)
    batch = task.batch(torch.tensor([1, 2]), "train", 0, 20)
    shown_codes = codes(task, batch)
    a, b = shown_codes[0], shown_codes[1]
    assert a.unique().tolist() == b.unique().tolist() == [1, 2, 3]
    letters = {"a": a, "b": b, ".": torch.zeros_like(a), "!": torch.full_like(a, 4)}
    assert torch.equal(shown_codes, torch.stack([letters[letter] for letter in shown]))
    assert torch.equal(batch.targets, torch.stack([letters[letter] for letter in asked]))


@pytest.mark.parametrize(
    ("convention", "cue", "inputs", "classes", "scored", "chance"),
    [
        ("arjovsky2016", [109], 10, 9, range(120), 0.17329),
        ("lezcano2019", [110], 10, 9, range(120), 0.17329),
        ("bai2018", list(range(109, 120)), 1, 10, range(120), 0.17329),
        ("gu2020", list(range(110, 120)), 10, 10, range(110, 120), 2.07944),
    ],
)
def test_the_table_at_gap_100(
    convention: str, cue: list[int], inputs: int, classes: int, scored: range, chance: float
) -> None:
    task = Copy(gap=100, convention=convention)
    batch = task.batch(torch.tensor([0]), "train", 0, 4)
    assert torch.nonzero(codes(task, batch)[:, 0, 0] == 9).flatten().tolist() == cue
    assert (task.sequence_length, task.input_size, task.output_size) == (120, inputs, classes)
    assert task.loss_steps == scored
    assert (task.smallest_lag, task.largest_lag) == (110, 110)
    assert task.chance()["loss"] == pytest.approx(chance, abs=1e-5)


@pytest.mark.parametrize(("gap", "published"), [(100, 0.1733), (200, 0.0945), (300, 0.0650), (500, 0.0400)])
def test_published_chance(gap: int, published: float) -> None:
    assert Copy(gap=gap).chance()["loss"] == pytest.approx(published, abs=5e-5)  # Arjovsky et al. 2016


@settings(max_examples=40)
@given(st.sampled_from(CONVENTIONS), st.integers(1, 40), st.integers(1, 6), st.integers(2, 12), st.integers(0, 2**40))
def test_every_item_is_asked_for_in_order_one_lag_later(
    convention: str, gap: int, items: int, symbols: int, seed: int
) -> None:
    task = Copy(gap=gap, convention=convention, items=items, symbols=symbols)
    batch = task.batch(torch.tensor([seed, seed + 1]), "eval", 7, 3)
    shown = codes(task, batch)
    assert 1 <= int(shown[:items].min()) <= int(shown[:items].max()) <= symbols
    for answer in range(items):
        step = int(task.answer_steps(batch, answer)[0, 0])
        asked = batch.targets[step - task.loss_steps.start]
        assert torch.equal(asked, shown[step - task.largest_lag])
    behind = shown[items:]
    assert sorted(behind.unique().tolist()) in ([0, symbols + 1], [symbols + 1])  # blank and cue, or cue alone
    assert torch.nonzero((shown == symbols + 1)[:, 0, 0]).flatten().tolist() == list(task.cue_steps)
    blanks = batch.targets[:-items]
    assert len(blanks) == (0 if convention == "gu2020" else gap + items)
    assert not blanks.any()


@every_convention
def test_items_are_uniform_and_independent(convention: str) -> None:
    pairs = Copy(gap=1, convention=convention).batch(torch.tensor([3]), "test", 0, 16_000).targets[-2:, 0]
    counts = torch.bincount((pairs[0] - 1) * 8 + pairs[1] - 1, minlength=64)
    assert len(counts) == 64
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5


@every_convention
def test_chance_against_the_generator(convention: str) -> None:
    task, size = Copy(gap=5, convention=convention, items=2, symbols=3), 9000
    batch = task.batch(torch.tensor([8]), "test", 0, size)
    outputs = torch.full((len(task.loss_steps), 1, size, task.output_size), -60.0)
    outputs[:-2, ..., 0] = 0  # blank with certainty,
    outputs[-2:, ..., 1:4] = 0  # then uniform over the symbols,
    outputs[-2:, ..., 2] += 1e-6  # with one of them always ahead
    metrics, chance = task.metrics(outputs, batch), task.chance()
    assert chance["recall_loss"] == math.log(3)
    assert metrics["loss"].item() == pytest.approx(chance["loss"], rel=1e-5)
    assert metrics["recall_loss"].item() == pytest.approx(chance["recall_loss"], rel=1e-5)
    for key, draws in (("recall_accuracy", 2 * size), ("sequence_accuracy", size)):
        share = chance[key]
        assert abs(metrics[key].item() - share) < 4.5 * math.sqrt(share * (1 - share) / draws), key


@every_convention
def test_metrics_by_hand(convention: str) -> None:
    task = Copy(gap=4, convention=convention, items=5)
    batch = task.batch(torch.tensor([0, 1, 2]), "eval", 0, 4)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, task.output_size).float()
    outputs[-1, 1, 0] = outputs[-1, 1, 0].roll(1)  # run 1 misses one item of 20,
    outputs[:, 2] = 0
    outputs[:, 2, :, 0] = 40  # run 2 says blank throughout
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["recall_accuracy"], torch.tensor([1.0, 0.95, 0.0]))
    torch.testing.assert_close(metrics["sequence_accuracy"], torch.tensor([1.0, 0.75, 0.0]))
    torch.testing.assert_close(metrics["recall_loss"], torch.tensor([0.0, 2.0, 40.0]))
    share = 5 / len(task.loss_steps)
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.0, 2.0 * share, 40.0 * share]))
    assert task.solved(metrics).tolist() == [True, False, False]


def test_solved_at_the_threshold() -> None:
    levels = torch.tensor([0.985, 0.99, 1.0, torch.nan])
    assert Copy().solved({"recall_accuracy": levels}).tolist() == [False, True, True, False]


def test_quiet_steps_lie_between_the_last_item_and_recall() -> None:
    assert Copy(gap=7, items=3).quiet_steps == range(3, 10)
