"""Where lengths vary inside a batch: what stands behind a sample's last scored step changes nothing."""

from __future__ import annotations

import pytest
import torch
from cases_of_tasks import GAP, KINDS, Kind
from helpers import one, random_parameters

from lrd.cells import LSTM, RNN, Cell, Parameters, read
from lrd.gradients.flow import gradient_flow
from lrd.kernels import KERNELS, choose_kernel
from lrd.shapes import Tensor
from lrd.tasks import Batch, Task

SEEDS, SIZE = torch.tensor([3, 8]), 6
CELLS: dict[str, Cell] = {"rnn": RNN(hidden_size=4), "lstm": LSTM(hidden_size=4)}


def drawn(task: Task) -> Batch:
    """Sequences in float64."""
    batch = task.batch(SEEDS, "train", 5, SIZE)
    targets = batch.targets.double() if batch.targets.is_floating_point() else batch.targets
    return Batch(batch.inputs.double(), targets, None if batch.weights is None else batch.weights.double())


def setting(kind: Kind, cell: str) -> tuple[Task, Parameters, Batch]:
    task = kind.of_gap(GAP)
    return task, random_parameters(CELLS[cell], task.input_size, len(SEEDS), task.output_size), drawn(task)


VARYING = [kind for kind in KINDS if drawn(kind.of_gap(GAP)).weights is not None]
every_varying_kind = pytest.mark.parametrize("kind", VARYING, ids=str)
every_cell = pytest.mark.parametrize("cell", CELLS)


def ends(task: Task, batch: Batch) -> Tensor:
    """The last scored step of each sample [runs, batch]."""
    steps = torch.arange(task.loss_steps.start, task.loss_steps.stop)[:, None, None]
    assert batch.weights is not None
    return torch.where(batch.weights > 0, steps, -1).amax(0)


def with_other_padding(task: Task, batch: Batch) -> Batch:
    """The same sequences with noise behind each sample's end, in inputs and targets."""
    behind = torch.arange(task.sequence_length)[:, None, None] > ends(task, batch)
    assert behind.any()
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(batch.inputs.shape, generator=generator, dtype=torch.float64)
    inputs = torch.where(behind[..., None], 10 * noise, batch.inputs)
    if task.classification:
        other_targets = (batch.targets + 1) % task.output_size
    else:
        other_targets = torch.rand(batch.targets.shape, generator=generator, dtype=torch.float64)
    unscored = behind[task.loss_steps.start : task.loss_steps.stop]
    unscored = unscored if task.classification else unscored[..., None]
    return Batch(inputs, torch.where(unscored, other_targets, batch.targets), batch.weights)


def outputs_of(task: Task, cell: str, params: Parameters, inputs: Tensor, first: int) -> Tensor:
    scan = KERNELS[choose_kernel(CELLS[cell], precision="float64")].scan
    return read(params, scan(CELLS[cell], params, inputs, None, first)[0])


def test_there_is_a_task_that_scores_one_step_and_one_that_scores_many() -> None:
    assert {"adding", "reber", "two_sequence", "long_lag", "variable_copy"} <= {kind.name for kind in VARYING}


@every_cell
@every_varying_kind
def test_padding_changes_neither_loss_nor_its_gradient_nor_metrics(kind: Kind, cell: str) -> None:
    task, params, batch = setting(kind, cell)
    for p in params.values():
        p.requires_grad_()
    found = []
    for padded in (batch, with_other_padding(task, batch)):
        outputs = outputs_of(task, cell, params, padded.inputs, task.loss_steps.start)
        loss = task.loss(outputs, padded)
        metrics = {key: value.detach() for key, value in task.metrics(outputs, padded).items()}
        found.append((outputs, loss.detach(), torch.autograd.grad(loss.sum(), list(params.values())), metrics))
    (outputs, *mine), (other_outputs, *others) = found
    assert not torch.equal(outputs, other_outputs)  # the network did see the padding
    # float64: sums of the same numbers, with zeros where padding stood.
    torch.testing.assert_close(mine, others, rtol=1e-12, atol=1e-15)


@every_cell
@every_varying_kind
def test_padding_does_not_change_gradient_flow(kind: Kind, cell: str) -> None:
    task, params, batch = setting(kind, cell)
    flow, other = (gradient_flow(task, CELLS[cell], params, b) for b in (batch, with_other_padding(task, batch)))
    assert torch.equal(flow.lags, other.lags)
    for name in CELLS[cell].state_names:
        assert flow.total[name].isfinite().any()
        for profiles, others in ((flow.total, other.total), (flow.direct, other.direct)):
            torch.testing.assert_close(profiles[name], others[name], rtol=1e-12, atol=1e-12, equal_nan=True)


@every_varying_kind
def test_the_loss_is_that_of_each_sample_alone_without_padding(kind: Kind) -> None:
    task, params, batch = setting(kind, "lstm")
    loss = task.loss(outputs_of(task, "lstm", params, batch.inputs, task.loss_steps.start), batch)
    for run in range(len(SEEDS)):
        mine = {name: value[None] for name, value in one(params, run).items()}
        losses = []
        for sample, end in enumerate(ends(task, batch)[run].tolist()):
            assert batch.weights is not None
            inputs = batch.inputs[: end + 1, run : run + 1, sample : sample + 1]
            outputs = outputs_of(task, "lstm", mine, inputs, task.loss_steps.start)
            targets = batch.targets[: len(outputs), run : run + 1, sample : sample + 1]
            is_scored = batch.weights[: len(outputs), run, sample] > 0
            losses.append(task.losses(outputs, targets)[is_scored].mean())
        # float64, sums of at most some hundred numbers.
        torch.testing.assert_close(loss[run], torch.stack(losses).mean(), rtol=1e-12, atol=0)
