"""Parts of a network: their order, their names, and the parameters that each draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrd.cells import (
    BACKWARD,
    CELLS,
    FIRST,
    FORWARD,
    GRU,
    LSTM,
    RNN,
    Cell,
    Orthogonal,
    Part,
    features,
    network_name,
    network_parameters,
    one_layer,
    parameters_of,
    parts_of,
    placed,
    prepared,
    readout_parameters,
    units,
)
from lrd.options import OptionError


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_parts_come_by_layer_and_forward_first() -> None:
    assert parts_of(RNN()) == (FIRST,)
    assert parts_of(RNN(layers=3)) == (Part(1), Part(2), Part(3))
    both = LSTM(layers=2, bidirectional=True)
    assert parts_of(both) == (Part(1), Part(1, BACKWARD), Part(2), Part(2, BACKWARD))
    assert (features(both), units(both)) == (128, 256)


@given(layer=st.integers(1, 30), backward=st.booleans(), own=st.text())
def test_a_name_says_which_part_and_which_parameter(layer: int, backward: bool, own: str) -> None:
    part = Part(layer, BACKWARD if backward else FORWARD)
    if part != FIRST:  # which has the bare names, whatever they are
        assert placed(part.name_of(own)) == (part, own)
    assert placed(FIRST.name_of("U")) == (FIRST, "U")


@pytest.mark.parametrize("name", CELLS)
def test_a_stack_of_one_is_the_cell_alone(name: str) -> None:
    cell = CELLS[name]().for_length(9)
    assert one_layer(cell) is cell
    alone, network = cell.parameters(3, generator()), network_parameters(cell, 3, generator())
    assert alone.keys() == network.keys()
    assert all(torch.equal(alone[key], network[key]) for key in alone)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_each_layer_is_drawn_for_what_it_reads(name: str, bidirectional: bool) -> None:
    cell = CELLS[name](layers=3, bidirectional=bidirectional, hidden_size=6).for_length(9)
    params, drawn = network_parameters(cell, 4, generator()), generator()
    for part in parts_of(cell):  # one after another, from one generator
        expected = one_layer(cell).parameters(4 if part.layer == 1 else features(cell), drawn)
        own = parameters_of(part, params)
        assert own.keys() == expected.keys()
        assert all(torch.equal(own[key], expected[key]) for key in own)
    assert readout_parameters(cell, 5, generator(), 4)["V"].shape == (5, features(cell))


def test_the_readout_goes_with_the_first_part() -> None:
    params = network_parameters(GRU(layers=2, hidden_size=3), 2, generator()) | {"V": torch.ones(1, 3)}
    assert parameters_of(FIRST, params).keys() == {"U", "W", "b", "d", "V"}
    assert parameters_of(Part(2), params).keys() == {"U", "W", "b", "d"}


def test_every_part_is_prepared() -> None:
    cell = Orthogonal(layers=2, bidirectional=True, hidden_size=4)
    params = {key: p[None] for key, p in network_parameters(cell, 2, generator()).items()} | {"V": torch.ones(1, 1, 8)}
    made = prepared(cell, params)
    for part in parts_of(cell):
        w = made[part.name_of("W")][0].double()
        torch.testing.assert_close(w @ w.T, torch.eye(4, dtype=torch.float64), rtol=0, atol=4e-6)
        assert part.name_of("A") not in made
    assert torch.equal(made["V"], params["V"])


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (RNN(), "rnn"),
        (RNN(label="mine", layers=2), "mine, 2 layers"),
        (GRU(bidirectional=True), "gru, bidirectional"),
    ],
)
def test_the_name_of_a_network(cell: Cell, name: str) -> None:
    assert network_name(cell) == name


def test_dropout_without_a_layer_above_is_refused() -> None:
    with pytest.raises(OptionError, match=r"acts between layers, got 0\.5 with one; set cell\.layers=2 or more"):
        LSTM(dropout=0.5)
