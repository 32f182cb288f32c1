"""What holds for every task, in every convention."""

from __future__ import annotations

import re

import pytest
import torch
from cases_of_tasks import GAP, KINDS, Kind
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import SPLITS, TASKS, Adding, Batch, Reber, Task, TwoSequence

every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    return draw(st.sampled_from(KINDS)).of_gap(draw(st.integers(GAP, 50)))


packs = st.lists(st.integers(0, 2**31), min_size=1, max_size=4, unique=True)
batch_sizes = st.integers(1, 5)


def parts(batch: Batch) -> list[Tensor]:
    return [batch.inputs, batch.targets] + ([] if batch.weights is None else [batch.weights])


def perfect_outputs(task: Task, batch: Batch) -> Tensor:
    """The outputs of a network that knows all that can be known."""
    if isinstance(task, Reber):
        legal = task.legal(batch).float()
        return torch.logit(legal / legal.sum(-1, keepdim=True), eps=1e-6)
    if isinstance(task, TwoSequence) and task.convention == "noisy_targets":
        return (
            torch.logit(torch.where(task.is_second(batch), 0.8, 0.2))[None, ..., None].expand_as(batch.targets).clone()
        )
    if task.logistic:
        return torch.logit(batch.targets, eps=1e-6)
    if not task.classification:
        return batch.targets.clone()
    return 50 * torch.nn.functional.one_hot(batch.targets, task.output_size).float()


@settings(max_examples=60)
@given(tasks(), packs, batch_sizes)
def test_shapes_and_types(task: Task, pack: list[int], size: int) -> None:
    batch = task.batch(torch.tensor(pack), "train", 3, size)
    scored = (len(task.loss_steps), len(pack), size)
    assert batch.inputs.shape == (task.sequence_length, len(pack), size, task.input_size)
    assert batch.inputs.dtype == torch.float32
    if task.classification:
        assert batch.targets.shape == scored
        assert batch.targets.dtype == torch.int64
        assert 0 <= int(batch.targets.min()) <= int(batch.targets.max()) < task.output_size
    else:
        assert batch.targets.shape == (*scored, task.output_size)
        assert batch.targets.dtype == torch.float32
    if batch.weights is not None:
        assert batch.weights.shape == scored
        assert set(batch.weights.unique().tolist()) <= {0.0, 1.0}
        assert (batch.weights.sum(0) > 0).all()


@settings(max_examples=60)
@given(tasks(), packs, batch_sizes, st.sampled_from(sorted(SPLITS)), st.integers(0, 10**6))
def test_a_batch_is_a_function_of_its_arguments_and_of_no_companion(
    task: Task, pack: list[int], size: int, split: str, step: int
) -> None:
    together = task.batch(torch.tensor(pack), split, step, size)
    for run, seed in enumerate(pack):
        alone = task.batch(torch.tensor([seed]), split, step, size)
        for whole, own in zip(parts(together), parts(alone), strict=True):
            assert torch.equal(whole[:, run : run + 1], own)


@every_kind
def test_a_large_pack_changes_no_bit(kind: Kind) -> None:
    task, seeds = kind.of_gap(100), torch.arange(33)
    together = task.batch(seeds, "train", 0, 13)
    for run in (0, 16, 31, 32):
        alone = task.batch(seeds[run : run + 1], "train", 0, 13)
        assert torch.equal(together.inputs[:, run], alone.inputs[:, 0])
        assert torch.equal(together.targets[:, run], alone.targets[:, 0])


@every_kind
def test_another_seed_step_or_split_is_other_data(kind: Kind) -> None:
    task = kind.of_gap(GAP)
    size = 20  # one task has two sequences alone: two batches are the same once in 2**20
    first = task.batch(torch.tensor([4]), "train", 1, size).inputs
    for seed, split, step in [(5, "train", 1), (4, "train", 2), (4, "eval", 1), (4, "test", 1), (4, "probe", 1)]:
        assert not torch.equal(first, task.batch(torch.tensor([seed]), split, step, size).inputs)


@every_kind
def test_writing_to_a_batch_spoils_no_later_one(kind: Kind) -> None:
    task = kind.of_gap(GAP)
    first = task.batch(torch.tensor([4]), "train", 1, 1)
    kept = first.inputs.clone()
    first.inputs.fill_(7)
    assert torch.equal(task.batch(torch.tensor([4]), "train", 1, 1).inputs, kept)


@settings(max_examples=60)
@given(tasks())
def test_geometry(task: Task) -> None:
    steps = range(task.sequence_length)
    assert 0 <= task.smallest_lag <= task.largest_lag < task.sequence_length
    assert 1 <= task.answers <= len(task.loss_steps)
    for name in ("loss_steps", "quiet_steps"):
        part = getattr(task, name)
        assert len(part) > 0, name
        assert part.start in steps, name
        assert part[-1] in steps, name
    batch = task.batch(torch.tensor([1, 2]), "eval", 0, 3)
    last = task.answer_steps(batch, -1)
    assert last.shape == (2, 3)
    assert torch.equal(last, task.answer_steps(batch, task.answers - 1))
    assert int(last.max()) <= task.loss_steps[-1]
    assert int(task.answer_steps(batch, 0).min()) >= task.loss_steps[0]
    # As lags, which is what they mean where lengths vary: before the answer, and within the shortest sample.
    lags = [task.loss_steps[-1] - t for t in task.quiet_steps]
    assert min(lags) > 0
    assert max(lags) <= int(last.min())
    with pytest.raises(IndexError):
        task.answer_steps(batch, task.answers)


@every_kind
def test_metrics_chance_and_success(kind: Kind) -> None:
    task = kind.of_gap(GAP)
    batch = task.batch(torch.tensor([1, 2, 3]), "eval", 0, 4)
    outputs = perfect_outputs(task, batch)
    outputs[:, 1] = 0
    outputs[:, 2] = torch.nan
    metrics, chance = task.metrics(outputs, batch), task.chance()
    assert list(metrics) == list(chance)
    assert all(value.shape == (3,) for value in metrics.values())
    torch.testing.assert_close(metrics["loss"], task.loss(outputs, batch), equal_nan=True)
    assert task.solved(metrics).tolist() == [True, False, False]
    assert not task.solved({key: torch.tensor([value]) for key, value in chance.items()}).item()
    if kind.is_certain:
        assert float(metrics["loss"][0]) < 1e-6 < chance["loss"]
    assert all(0 < level != chance["loss"] for level in task.landmarks().values())
    assert len(task.criterion) > 10


def test_criterion_says_where_it_comes_from() -> None:
    for kind in KINDS:
        criterion = kind.of_gap(GAP).criterion
        assert ("lrd's own" in criterion) != (re.search(r"\b(19|20)\d\d\b", criterion) is not None)


@every_kind
def test_too_small_a_gap_is_refused(kind: Kind) -> None:
    with pytest.raises(OptionError) as caught:
        kind.of_gap(-1)
    assert caught.value.key == "gap"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "convention" in kind.options], ids=str)
def test_a_wrong_convention_is_refused(kind: Kind) -> None:
    name, convention = kind.name, kind.options["convention"]
    with pytest.raises(OptionError, match=f"did you mean '{convention}'") as caught:
        TASKS[name](convention=convention + "x")
    assert caught.value.key == "convention"


def test_weighted_loss_by_hand() -> None:
    # Two samples: errors 1 and 3 at the scored steps; 100 stands on padding.
    outputs = torch.tensor([[1.0, 100.0], [100.0, 3.0]])[:, None, :, None]
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[:, None, :]
    batch = Batch(torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 1), weights)
    assert Adding().loss(outputs, batch).tolist() == [5.0]


def test_logistic_answers_have_a_gradient_however_far_they_are_saturated() -> None:
    x = torch.tensor([-3e38, -100, -80, -1, 0, 1, 80, 100, 3e38]).requires_grad_()
    task = TwoSequence()
    y = task.answered(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    # float32: exp's argument is exact, so some four roundings in all; below 1e-38 a float32 is coarser than that.
    wide = x.detach().double()
    exact = torch.sigmoid(wide)
    torch.testing.assert_close(y.double(), exact, rtol=4 * 2**-23, atol=1e-44)
    torch.testing.assert_close(slope.double(), exact * torch.sigmoid(-wide), rtol=8 * 2**-23, atol=1e-44)
    assert Adding().answered(x) is x


@every_kind
def test_loss_and_metrics_of_a_run_do_not_depend_on_its_companions(kind: Kind) -> None:
    task, seeds = kind.of_gap(GAP), torch.arange(17)
    batch = task.batch(seeds, "train", 0, 13)
    # Run-major in memory, as a readout leaves them.
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn(17, len(task.loss_steps), 13, task.output_size, generator=generator).transpose(0, 1)
    together = task.metrics(outputs, batch) | {"training loss": task.loss(outputs, batch)}
    for run in (0, 7, 15, 16):
        alone, mine = batch.of_runs(torch.tensor([run])), outputs[:, run : run + 1].clone()
        for key, value in (task.metrics(mine, alone) | {"training loss": task.loss(mine, alone)}).items():
            assert torch.equal(value, together[key][run : run + 1]), key


def test_losses_by_hand() -> None:
    classes = TASKS["copy"]()
    outputs = torch.zeros(1, 1, 2, 4)
    outputs[0, 0, 1, 2] = torch.log(torch.tensor(3.0))  # probabilities 1/6, 1/6, 1/2, 1/6
    losses = classes.losses(outputs, torch.tensor([[[0, 2]]]))
    torch.testing.assert_close(losses, torch.log(torch.tensor([[[4.0, 2.0]]])))
    values = Adding().losses(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[0.0, 1.0]]]]))
    assert values.tolist() == [[[2.5]]]
