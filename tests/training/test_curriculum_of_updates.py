"""Curricula: the gap of every update, and that updates are those of the task at that gap."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
import torch
from helpers import alone_and_resumed, make_pack, run_spec

from lrd.cells import GRU, LSTM, RNN, Attentive, Cell
from lrd.spec import RunSpec, Training
from lrd.spec.training import CURRICULA
from lrd.tasks import Adding, Copy, Memorisation, Task
from lrd.training import Pack
from lrd.training.batches import Draws
from lrd.training.curriculum import Curriculum, without
from lrd.training.overlap import overlap

CPU = torch.device("cpu")
TASK = Copy(gap=9, items=2, symbols=3)
KINDS = CURRICULA[1:]


def curriculum(kind: str, updates: int = 1000, task: Task = TASK, **options: Any) -> Curriculum:
    return Curriculum(task, Training(curriculum=kind, max_updates=updates, **options))


def test_without_one_every_update_has_the_tasks_own_gap() -> None:
    plain = curriculum("none")
    assert {plain.gap(update) for update in range(1000)} == {9}
    assert plain.task(3) is TASK


@pytest.mark.parametrize(("least", "share", "updates"), [(1, 0.5, 1000), (4, 0.25, 37), (8, 1.0, 7), (2, 0.5, 3)])
def test_naive_takes_one_gap_after_the_other_and_then_the_last(least: int, share: float, updates: int) -> None:
    found = [curriculum("naive", updates, curriculum_from=least, curriculum_share=share).gap(k) for k in range(updates)]
    size, grows = 9 - least + 1, Fraction(share) * updates
    assert found == [least + min(size - 1, int(Fraction(k * size) / grows)) for k in range(updates)]
    assert found[0] == least
    assert found == sorted(found)
    assert all(gap == 9 for gap in found[math.ceil(grows) :])


def test_mixed_takes_all_gaps_alike() -> None:
    many = 9000
    counts = Counter(map(curriculum("mixed", curriculum_from=1).gap, range(many)))
    assert set(counts) == set(range(1, 10))
    # Each has a binomial count: five standard deviations of 1000 are 150.
    assert all(abs(count - many / 9) < 150 for count in counts.values())
    pairs = Counter(zip(*(map(curriculum("mixed").gap, range(k, many)) for k in (0, 1)), strict=False))
    assert len(pairs) == 81


def test_combined_takes_half_of_its_updates_from_each() -> None:
    updates = 4000
    naive, mixed, both = (
        [curriculum(kind, updates).gap(k) for k in range(updates)] for kind in ("naive", "mixed", "combined")
    )
    assert all(gap in (a, b) for gap, a, b in zip(both, naive, mixed, strict=True))
    apart = [(gap == a) for gap, a, b in zip(both, naive, mixed, strict=True) if a != b]
    assert abs(sum(apart) / len(apart) - 0.5) < 5 * 0.5 / len(apart) ** 0.5
    early = Counter(both[:200])
    assert early[1] > 100  # where naive stands
    assert max(early) == 9


def test_a_gap_is_a_function_of_the_update_that_stays_as_it_is() -> None:
    """Records say which curriculum a run had: another version must not give it other gaps."""
    assert [curriculum("mixed").gap(k) for k in range(12)] == MIXED
    assert [curriculum("combined").gap(k) for k in range(12)] == COMBINED


#: As first recorded.
MIXED = [6, 5, 4, 8, 6, 9, 5, 3, 4, 2, 7, 9]
COMBINED = [6, 5, 1, 8, 6, 9, 1, 3, 1, 1, 7, 1]


def test_its_summaries_are_those_of_the_updates() -> None:
    many = curriculum("mixed", 400)
    found = [many.gap(k) for k in range(400)]
    assert many.mean_gap(3, 17) == sum(found[3:17]) / 14
    assert list(many.updates_at_the_gap(400)) == [k for k, gap in enumerate(found) if gap == 9]
    steps = [gap + 4 for gap in found[10:400]]
    assert many.share_of_steps(10, 400) == pytest.approx(sum(steps) / len(steps) / 13)
    assert curriculum("none").share_of_steps(0, 10) == 1
    assert curriculum("naive", 10**9).share_of_steps(0, 10**9) == pytest.approx(
        ((1 + 9) / 2 + 4 + 13) / 2 / 13, rel=1e-2
    )


def test_options_without_it_are_those_of_a_training_without() -> None:
    naive = Training(curriculum="naive", curriculum_from=3, curriculum_share=0.1)
    assert without(naive) == Training(gradient_norms=False)  # with a curriculum there are none
    assert without(Training()) == Training()


SMALL: dict[str, Any] = {"batch_size": 3, "max_updates": 12}
CELLS: dict[str, Cell] = {
    "rnn": RNN(hidden_size=4),
    "lstm": LSTM(hidden_size=3),
    "gru": GRU(hidden_size=3),
    "attentive": Attentive(hidden_size=3).for_length(TASK.sequence_length),
}


def runs(kind: str, cell: Cell = CELLS["rnn"], task: Task = TASK, **options: Any) -> list[RunSpec]:
    return [run_spec(task, cell, seed, lr=0.01 * (seed + 1), curriculum=kind, **SMALL | options) for seed in range(3)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_update_is_that_of_a_run_at_its_gap(cell: str, kind: str) -> None:
    """Which takes over parameters, slots and number of the update from the run with the curriculum."""
    specs = runs(kind, CELLS[cell])
    pack, seen = make_pack(*specs), set()
    for update in range(SMALL["max_updates"]):
        gap = pack.curriculum.gap(update)
        there = [
            dataclasses.replace(spec, task=dataclasses.replace(TASK, gap=gap), training=without(spec.training))
            for spec in specs
        ]
        plain = make_pack(*there)
        plain.restore(pack.snapshot())
        pack.step()
        plain.step()
        assert torch.equal(pack.theta, plain.theta)
        assert torch.equal(pack.sums["train_loss"], plain.sums["train_loss"])
        seen.add(gap)
    assert len(seen) > 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", [TASK, Adding(gap=24, convention="hochreiter1997")], ids=lambda task: task.name)
def test_a_run_alone_is_the_run_in_a_pack_and_goes_on_as_it_would_have(task: Task, kind: str) -> None:
    specs = runs(kind, task=task)
    alone, pack = alone_and_resumed(specs, updates=12, select_at=3, restore_at=7)
    assert torch.equal(pack.theta, torch.cat([alone[0].theta, alone[2].theta]))


@pytest.mark.parametrize("kind", ["none", *KINDS])
def test_batches_drawn_ahead_are_those_of_each_update(kind: str) -> None:
    seeds, plan = torch.arange(2), curriculum(kind, 60)
    draws = Draws(plan, seeds, 3)
    for update in [*range(40), 12, 13]:
        batch, expected = draws.batch(update), plan.task(update).batch(seeds, "train", update, 3)
        assert torch.equal(batch.inputs, expected.inputs)
        assert torch.equal(batch.targets, expected.targets)


@pytest.mark.parametrize("kind", KINDS)
def test_replayed_updates_are_plain_ones_and_recorded_where_the_gap_lasts(kind: str) -> None:
    specs, recorded = runs(kind, max_updates=48), []

    def record(update: Any, device: torch.device) -> Any:
        recorded.append(update)
        return update

    plain, replayed = Pack(specs, CPU), Pack(specs, CPU, record=record)
    for _ in range(48):
        plain.step()
        replayed.step()
    assert torch.equal(plain.theta, replayed.theta)
    assert len(recorded) == (9 if kind == "naive" else 0)


def test_it_is_evaluated_and_measured_at_the_tasks_own_gap() -> None:
    (spec, *_), kinds = runs("naive"), ("eval", "test")
    pack, plain = make_pack(spec), make_pack(dataclasses.replace(spec, training=without(spec.training)))
    assert pack.task is spec.task
    for split in kinds:
        assert pack.evaluate(split, 20) == plain.evaluate(split, 20)
    pack.step()
    assert pack.averages()["train_gap"].tolist() == [1.0]
    pack.step()
    pack.step()
    assert pack.averages()["train_gap"].tolist() == [(2 + 4) / 2]
    plain.step()
    assert "train_gap" not in plain.averages()


def test_only_sequences_of_the_tasks_own_gap_are_among_those_of_the_test() -> None:
    options = {"batch_size": 4, "max_updates": 100}
    spec = run_spec(Memorisation(gap=5), RNN(hidden_size=3), curriculum="naive", **options)
    assert overlap(spec, 40)["seen_share"] == 0
    assert overlap(spec, 52)["seen_share"] == pytest.approx(1 - (31 / 32) ** (12 * 4))
