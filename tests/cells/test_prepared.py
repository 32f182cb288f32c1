"""What a cell computes of its parameters once a sequence, and what it does by default."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers import random_parameters

from lrd.cells import CELLS, LSTM, RNN, Cell, Parameters, State, prepared
from lrd.shapes import Tensor


@dataclass(frozen=True)
class Squared(Cell):
    """Its step gets the square of its only weight."""

    name = "squared"
    state_names = ("h",)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        return {"r": torch.rand(self.hidden_size, generator=generator)}

    def prepare(self, p: Parameters) -> Parameters:
        return {"w": p["r"].square()} | {name: value for name, value in p.items() if name != "r"}

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        return (p["w"] * state[0] + x.sum(),)


@pytest.mark.parametrize("cell", [RNN(hidden_size=3), LSTM(hidden_size=3)])
def test_what_needs_nothing_prepared_costs_nothing(cell: Cell) -> None:
    params = random_parameters(cell, 2, 2)
    assert prepared(cell, params, torch.float32) is params
    assert cell.stepped is cell
    assert cell.for_length(100) is cell
    assert cell.measured_names == cell.state_names
    assert cell.measured_sizes == cell.state_sizes()


def test_each_run_is_prepared_and_the_rest_handed_on() -> None:
    params = {"r": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "V": torch.ones(2, 5, 2)}
    found = prepared(Squared(hidden_size=2), params)
    assert list(found) == ["w", "V"]
    assert torch.equal(found["w"], torch.tensor([[1.0, 4.0], [9.0, 16.0]]))
    assert torch.equal(found["V"], params["V"])
    assert prepared(Squared(hidden_size=2), params, torch.float64)["w"].dtype == torch.float64


def test_gradients_go_through() -> None:
    params = {"r": torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)}
    prepared(Squared(hidden_size=2), params)["w"].sum().backward()
    assert torch.equal(params["r"].grad, 2 * params["r"].detach())


@pytest.mark.parametrize("kind", CELLS.values())
def test_bookkeeping_names_state_variables_and_never_what_the_readout_sees(kind: type[Cell]) -> None:
    cell = kind(hidden_size=4).for_length(9)
    assert cell.bookkeeping <= set(cell.state_names[1:])
    assert cell.measured[0] == 0
    assert len(cell.state_sizes()) == len(cell.state_names)
    assert cell.stepped.state_names == cell.state_names
    assert cell.stepped.state_sizes() == cell.state_sizes()
