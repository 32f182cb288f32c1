"""Dropout between layers: its shares, its independence of companions, and the gradient that goes through it."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import EPS64, make_pack, run_spec

from lrd.cells import LSTM, Cell, parts_of
from lrd.spec import RunSpec
from lrd.tasks import Adding
from lrd.tasks.streams import Stream
from lrd.training.dropout import dropout

SEEDS = torch.tensor([3, 8])


def masks(
    share: float, gaps: int = 2, shape: tuple[int, int, int] = (40, 50, 30), update: int = 4
) -> list[torch.Tensor]:
    stream = Stream(SEEDS, "train", update, aside="dropout")
    drop = dropout(stream, torch.full((2,), share, dtype=torch.float64), gaps, shape)
    time, batch, features = shape
    one = torch.ones(time, 2, batch, features, dtype=torch.float64)
    return [drop(slice(None), layer, one) for layer in range(1, gaps + 1)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_so_many_are_dropped_and_the_others_make_up_for_it(share: float) -> None:
    """Within five standard errors of a share of 120,000 draws; the grid of shares is 2^-16."""
    for mask in masks(share):
        kept = mask > 0
        error = math.sqrt(share * (1 - share) / mask[:, 0].numel())
        for run in range(2):
            assert abs(float((~kept[:, run]).double().mean()) - share) < 5 * error + 2.0**-17
        assert mask[kept].unique().tolist() == pytest.approx([1 / (1 - share)], rel=2.0**-16 / (1 - share))


def test_layers_runs_and_updates_have_masks_of_their_own_and_steps_are_parts_of_them() -> None:
    first, second = masks(0.5)
    assert not torch.equal(first, second)
    assert not torch.equal(first[:, 0], first[:, 1])
    assert not torch.equal(first, masks(0.5, update=5)[0])
    assert torch.equal(first, masks(0.5)[0])
    stream = Stream(SEEDS, "train", 4, aside="dropout")
    drop = dropout(stream, torch.full((2,), 0.5, dtype=torch.float64), 2, (40, 50, 30))
    assert torch.equal(drop(slice(7, 12), 2, torch.ones(5, 2, 50, 30, dtype=torch.float64)), second[7:12])


def specs(cell: Cell, **options: float) -> list[RunSpec]:
    return [run_spec(Adding(gap=6), cell, seed=seed, precision="float64", batch_size=4, **options) for seed in (3, 8)]


def test_an_update_is_that_of_torchs_module_with_the_same_masks() -> None:
    """Loss and gradient, by ``nn.LSTM`` layer by layer with the masks between; evaluations see the whole network."""
    cell = LSTM(hidden_size=5, layers=3, dropout=0.4)
    pack = make_pack(*specs(cell))
    batch = pack.task.batch(pack.seeds, "train", 0, 4)
    batch = type(batch)(batch.inputs.double(), batch.targets.double())
    found = pack.gradient(batch)
    time = pack.task.sequence_length
    drop = dropout(
        Stream(pack.seeds, "train", 0, aside="dropout"), torch.full((2,), 0.4, dtype=torch.float64), 2, (time, 4, 5)
    )
    ones = torch.ones(time, 2, 4, 5, dtype=torch.float64)
    for run in range(2):
        theta = pack.theta[run : run + 1].clone().requires_grad_()
        p = {name: value[0] for name, value in pack.parameters(theta).items()}
        outputs = []
        for masked in (True, False):
            h = batch.inputs[:, run]
            for part in parts_of(cell):
                u, w, b = (p[part.name_of(name)] for name in "UWb")
                start = torch.zeros(1, 4, 5, dtype=torch.float64)
                weights = (u, w, b, torch.zeros_like(b))
                h, *_ = torch.lstm(h, (start, start), weights, True, 1, 0.0, True, False, False)
                if masked and part.layer < 3:
                    h = h * drop(slice(None), part.layer, ones)[:, run]
            outputs.append(h[-1] @ p["V"].T + p["V_bias"])
        loss = (outputs[0] - batch.targets[-1, run]).square().mean()
        loss.backward()
        torch.testing.assert_close(found.loss[run], loss.detach(), rtol=0, atol=1e3 * EPS64)
        torch.testing.assert_close(found.grad[run], theta.grad[0], rtol=0, atol=1e3 * EPS64)
        whole = pack.net.outputs(pack.parameters(), batch)
        torch.testing.assert_close(whole[-1, run], outputs[1].detach(), rtol=0, atol=1e3 * EPS64)


def test_a_run_alone_and_one_that_goes_on_are_the_run_in_a_pack_bit_for_bit() -> None:
    made = [run_spec(Adding(gap=6), LSTM(hidden_size=5, layers=2, dropout=share), seed=7) for share in (0.2, 0.6)]
    together = make_pack(*made)
    for _ in range(4):
        together.step()
    for run, spec in enumerate(made):
        alone = make_pack(spec)
        for _ in range(2):
            alone.step()
        again = make_pack(spec)
        again.restore(alone.snapshot())
        for _ in range(2):
            again.step()
        assert torch.equal(again.theta[0], together.theta[run])
    assert not torch.equal(together.theta[0], together.theta[1])
