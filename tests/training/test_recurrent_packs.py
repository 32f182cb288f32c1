"""Packs of the ungated cells: loss and gradient of what is trained, by steps and autograd; companions do not matter."""

from __future__ import annotations

import pytest
import torch
from helpers import EPS32, make_pack, run_spec
from torch.func import vmap

from lrd.cells import Attentive, Cell, Clockwork, Orthogonal
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch
from lrd.training import Pack

TASK = Adding(gap=9)
CELLS = {
    "orthogonal": Orthogonal(hidden_size=6),
    "orthogonal-tanh": Orthogonal(hidden_size=6, activation="tanh", map="cayley"),
    "clockwork": Clockwork(hidden_size=6, modules=3),
    "attentive": Attentive(hidden_size=6).for_length(TASK.sequence_length),
}


def plain(pack: Pack, batch: Batch, every: int | None) -> tuple[Tensor, Tensor]:
    """Loss and gradient of each run in float64, from the cell's own step; the state is cut off every so many steps."""
    found = []
    for run in range(len(pack.specs)):
        theta = pack.theta[run].double().requires_grad_()
        p = {name: value[0] for name, value in pack.parameters(theta[None]).items()}
        ready = pack.cell.prepare(p)
        xs = batch.inputs[:, run].double()
        state = tuple(xs.new_zeros(xs.shape[1], size) for size in pack.cell.state_sizes())
        for t, x in enumerate(xs):
            if every is not None and t % every == 0:
                state = tuple(s.detach() for s in state)
            state = vmap(pack.cell.step, in_dims=(None, 0, 0))(ready, x, state)
        outputs = state[0] @ p["V"].T + p["V_bias"]
        loss = (outputs - batch.targets[0, run].double()).square().mean()
        found.append((loss.detach(), torch.autograd.grad(loss, theta)[0]))
    losses, grads = zip(*found, strict=True)
    return torch.stack(losses), torch.stack(grads)


@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("name", CELLS)
def test_loss_and_gradient(name: str, every: int | None) -> None:
    pack = make_pack(*(run_spec(TASK, CELLS[name], seed=s, batch_size=5, truncate=every) for s in range(2)))
    batch = TASK.batch(pack.seeds, "train", 0, 5)
    losses, grads = plain(pack, batch, every)
    loss, grad, *_ = pack.gradient(batch)
    # float32 along nine steps of sums of some ten terms, and sums of 9 * 5 of these.
    assert float((loss - losses).abs().max()) < 100 * EPS32 * float(losses.max())
    assert float((grad - grads).abs().max()) < 1000 * EPS32 * max(1.0, float(grads.abs().max()))
    assert bool((grads != 0).any())


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("name", CELLS)
def test_a_run_trains_alone_as_in_a_pack_bit_for_bit(name: str, every: int | None) -> None:
    def trained(*seeds: int) -> Tensor:
        pack = make_pack(*(run_spec(TASK, CELLS[name], seed=s, batch_size=3, truncate=every) for s in seeds))
        for _ in range(3):
            pack.step()
        return pack.theta

    together = trained(0, 1, 2)
    for seed in range(3):
        assert torch.equal(trained(seed)[0], together[seed])


@pytest.mark.parametrize("cell", [Orthogonal(), Orthogonal(activation="relu"), Clockwork()])
def test_orthogonal_and_clockwork_cells_fit_any_length(cell: Cell) -> None:
    assert cell.for_length(7) is cell
