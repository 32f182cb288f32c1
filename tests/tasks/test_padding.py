"""Variable lengths: what stands on padding changes neither loss, metrics, training gradient nor gradient flow."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from cases_of_tasks import GAP, KINDS, Kind
from helpers import make_pack, run_spec

from lrd.cells import LSTM, RNN, Cell
from lrd.probes import gradient_flow
from lrd.tasks import Batch

SEEDS = torch.tensor([5, 6])
PADDED = [kind for kind in KINDS if kind.of_gap(GAP).batch(SEEDS, "train", 0, 1).weights is not None]


@pytest.mark.parametrize("cell", [RNN(hidden_size=4), LSTM(hidden_size=4)], ids=["rnn", "lstm"])
@pytest.mark.parametrize("kind", PADDED, ids=str)
def test_other_numbers_on_padded_steps_change_no_bit(kind: Kind, cell: Cell) -> None:
    task, generator = kind.of_gap(GAP), torch.Generator().manual_seed(1)
    batch = task.batch(SEEDS, "probe", 0, 12)
    assert batch.weights is not None
    behind = torch.arange(task.sequence_length)[:, None, None] > task.answer_steps(batch, -1)
    assert behind.any()  # or nothing would be tested
    unscored = batch.weights == 0
    inputs, targets = batch.inputs.clone(), batch.targets.clone()
    inputs[behind] = torch.randn(inputs[behind].shape, generator=generator)
    if task.classification:
        targets[unscored] = (targets[unscored] + 1) % task.output_size
    else:
        targets[unscored] += 3
    other = Batch(inputs, targets, batch.weights)
    assert not torch.equal(other.inputs, batch.inputs)
    pack = make_pack(*(run_spec(task, cell, seed) for seed in SEEDS.tolist()))
    for mine, theirs in zip(pack.loss_and_gradient(batch), pack.loss_and_gradient(other), strict=True):
        assert torch.equal(mine, theirs)
    params = pack.parameters(pack.theta.detach())
    with torch.no_grad():
        seen, also = (task.metrics(pack.outputs(params, b), b) for b in (batch, other))
    assert all(torch.equal(value, also[name]) for name, value in seen.items())
    for answer in ("last", "all"):
        flows = [dataclasses.asdict(gradient_flow(task, cell, params, b, answer)) for b in (batch, other)]
        for part in ("total", "direct"):
            for name, norms in flows[0][part].items():
                torch.testing.assert_close(norms, flows[1][part][name], rtol=0, atol=0, equal_nan=True)
                assert norms.isfinite().any()
