"""The formula of what training costs: how often things are done, and what makes them dearer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from helpers import run_spec

from lrd.cells import LSTM, RNN, Attentive, Cell
from lrd.kernels import KERNELS
from lrd.probes import log_spaced
from lrd.spec import RunSpec
from lrd.sweeps.prices import ACTIONS, PRICES, Work, action_seconds, pack_seconds, work_of
from lrd.tasks import Adding


@dataclass(frozen=True)
class Looped(LSTM):
    """A kind that no fast kernel knows."""


CELLS = [RNN(hidden_size=8), LSTM(hidden_size=8), Looped(hidden_size=8), Attentive(hidden_size=8, memory=30)]


def spec(cell: Cell | None = None, gap: int = 10, **options: Any) -> RunSpec:
    return run_spec(Adding(gap=gap), cell or RNN(hidden_size=8), **options)


def test_every_kernel_of_a_cpu_has_a_price_for_every_action() -> None:
    assert {name for name, kernel in KERNELS.items() if "cpu" in kernel.devices} <= set(PRICES)
    assert all(set(prices) == set(ACTIONS) for prices in PRICES.values())


@pytest.mark.parametrize(
    ("last", "every", "start"), [(100, 10, 0), (100, 30, 0), (7, 100, 0), (100, 30, 45), (9, 3, 9)]
)
def test_work_is_what_the_training_loop_does(last: int, every: int, start: int) -> None:
    """Counted here update by update; a run that starts anew also looks and evaluates before its first update."""
    moments, looks, evaluations = set(log_spaced(last, 3)), int(start == 0), int(start == 0)
    for update in range(start + 1, last + 1):
        looks += update in moments
        evaluations += update % every == 0 or update == last
    run = spec(max_updates=last, eval_every=every)
    assert work_of(run, start) == Work(last - start, looks, evaluations)
    assert work_of(replace(run, probes=()), start).looks == 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("action", ACTIONS)
def test_longer_and_more_is_dearer(action: str, cell: Cell) -> None:
    def cost(gap: int = 10, runs: int = 2, samples: int = 8) -> float:
        return action_seconds(action, spec(cell, gap), runs, samples)

    assert cost() < min(cost(gap=20), cost(runs=3), cost(samples=9))


@pytest.mark.parametrize(
    ("cell", "trick"),
    [
        (CELLS[0], {"omega": 1.0}),
        (CELLS[1], {"h_detach": 0.5}),
        *((cell, {"gradient_norms": True}) for cell in CELLS),
    ],
)
def test_tricks_make_updates_dearer_and_nothing_else(cell: Cell, trick: dict[str, float]) -> None:
    plain, tricky = spec(cell), spec(cell, **trick)
    costs = {action: [action_seconds(action, run, 2, 8) for run in (plain, tricky)] for action in ACTIONS}
    assert {action for action, (without, having) in costs.items() if having > without} == {"update"}
    assert costs["look"][0] == costs["look"][1]
    assert costs["evaluate"][0] == costs["evaluate"][1]


def test_speeds_weigh_their_own_action_alone() -> None:
    run = spec(max_updates=20, eval_every=5)
    base = pack_seconds(run, 3)
    updates = 20 * action_seconds("update", run, 3, run.training.batch_size)
    assert pack_seconds(run, 3, speed={"update": 2.0}) == pytest.approx(base + updates)
    looks = work_of(run).looks * action_seconds("look", run, 3, run.probes[0].samples)
    assert pack_seconds(run, 3, speed={"look": 3.0}) == pytest.approx(base + 2 * looks)
    silent = replace(run, probes=())
    assert pack_seconds(silent, 3, speed={"look": 3.0}) == pack_seconds(silent, 3)
