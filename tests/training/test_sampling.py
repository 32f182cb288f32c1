"""Text from a trained network: against a plain loop that reads the whole text anew for each character."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from helpers import loop_of_cells, random_like, random_parameters
from texts import written

from lrd.cells import (
    CELLS,
    LSTM,
    RNN,
    Cell,
    Parameters,
    network_parameters,
    parts_of,
    prepared,
    read,
    readout_parameters,
)
from lrd.kernels import loop
from lrd.options import OptionError
from lrd.tasks import Text
from lrd.training.sampling import OTHER, chosen, next_outputs, sample, symbols_of

PRIME = "of a gap (a"
SMALL: dict[str, Cell] = {"rnn": RNN(hidden_size=7), "lstm": LSTM(hidden_size=7)}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Text:
    return Text(gap=10, file=written(tmp_path_factory.mktemp("texts")))


def of_one(task: Text, cell: Cell) -> Parameters:
    params = random_parameters(cell, task.symbols, 1, task.symbols, seed=3)
    return {name: value[0].float() for name, value in params.items()}


def one_hot(task: Text, symbols: list[int]) -> torch.Tensor:
    return torch.eye(task.symbols, dtype=torch.float64)[symbols][:, None]


def outputs_anew(task: Text, cell: Cell, params: Parameters, text: str) -> torch.Tensor:
    """The outputs after a whole text, read from its first character on."""
    p = {name: value.double() for name, value in params.items()}
    symbols = [task.alphabet.index(character) + 1 for character in text]
    h = loop_of_cells(cell, p, one_hot(task, symbols))[-1][0][0]
    return p["V"] @ h + p["V_bias"]


def test_a_stack_is_torchs_stack_along_the_whole_text(task: Text) -> None:
    """Three layers: each character is the likeliest of ``nn.LSTM`` that reads the text from its beginning."""
    cell = LSTM(hidden_size=6, layers=3)
    g = torch.Generator().manual_seed(4)
    params = network_parameters(cell, task.symbols, g) | readout_parameters(cell, task.symbols, g, task.symbols)
    params = {name: 4 * value for name, value in params.items()}  # so that rounding decides nothing
    params["V_bias"][0] = -100.0
    module = torch.nn.LSTM(task.symbols, 6, num_layers=3, dtype=torch.float64)
    with torch.no_grad():
        for part in parts_of(cell):
            for own, theirs in (("U", "weight_ih"), ("W", "weight_hh"), ("b", "bias_ih")):
                getattr(module, f"{theirs}_l{part.layer - 1}").copy_(params[part.name_of(own)])
            getattr(module, f"bias_hh_l{part.layer - 1}").zero_()
        text = PRIME
        for _ in range(40):
            h = module(one_hot(task, [task.alphabet.index(character) + 1 for character in text]))[0][-1, 0]
            outputs = params["V"].double() @ h + params["V_bias"].double()
            best, second = outputs.topk(2).values
            assert best - second > 1e-9
            text += task.alphabet[int(outputs.argmax()) - 1]
    assert sample(task, cell, params, PRIME, 40, temperature=0) == text[len(PRIME) :]
    assert len(set(text[len(PRIME) :])) > 1


@pytest.mark.parametrize("name", SMALL)
def test_at_temperature_0_each_character_is_the_likeliest_after_the_whole_text(name: str, task: Text) -> None:
    cell = SMALL[name]
    params = of_one(task, cell)
    params["V_bias"][0] = -100.0  # never a character without a name, which a text cannot be read anew with
    text = PRIME
    for _ in range(40):
        outputs = outputs_anew(task, cell, params, text)
        best, second = outputs.topk(2).values
        assert best - second > 1e-9  # rounding decides nothing
        text += task.alphabet[int(outputs.argmax()) - 1]
    assert sample(task, cell, params, PRIME, 40, temperature=0) == text[len(PRIME) :]
    assert sample(task, cell, params, PRIME, 40, temperature=0, seed=9) == text[len(PRIME) :]
    assert len(set(text[len(PRIME) :])) > 1


@pytest.mark.parametrize("name", SMALL)
def test_at_any_other_temperature_each_character_is_drawn_by_its_own_random_number(name: str, task: Text) -> None:
    """By the plain sum of shares, from the same numbers."""
    cell, temperature = SMALL[name], 0.7
    params = of_one(task, cell)
    params["V_bias"][0] = -100.0
    numbers = torch.rand(40, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).tolist()
    text = PRIME
    for number in numbers:
        weights = [math.exp(y / temperature) for y in outputs_anew(task, cell, params, text).tolist()]
        place, left = 0, number * math.fsum(weights)
        while left >= weights[place]:
            left -= weights[place]
            place += 1
        text += task.alphabet[place - 1]
    drawn = sample(task, cell, params, PRIME, 40, temperature, seed=5)
    assert drawn == text[len(PRIME) :]
    assert sample(task, cell, params, PRIME, 40, temperature, seed=5) == drawn
    assert sample(task, cell, params, PRIME, 40, temperature, seed=6) != drawn
    assert sample(task, cell, params, PRIME, 17, temperature, seed=5) == drawn[:17]


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_goes_on_from_its_state(name: str, task: Text) -> None:
    """Step by step the outputs are those of the whole text at once."""
    cell = CELLS[name](hidden_size=8).for_length(12)
    raw = random_like(cell, task.symbols, 1, task.symbols, seed=2, dtype=torch.float32)
    params = {n: v.double() for n, v in prepared(cell, raw, torch.float64).items()}
    symbols = symbols_of(task, PRIME)
    inputs = one_hot(task, symbols)[:, None]
    whole = torch.stack([state[0] for state in loop.unroll(cell.stepped, params, inputs)])
    expected, state = read(params, whole, inputs)[:, 0, 0], None
    for step, symbol in enumerate(symbols):
        outputs, state = next_outputs(cell.stepped, params, symbol, state, task.symbols)
        torch.testing.assert_close(outputs, expected[step], rtol=1e-12, atol=1e-12)
    text = sample(task, cell, {n: v[0] for n, v in raw.items()}, PRIME, 30, 0)
    if OTHER not in text[:15]:
        assert sample(task, cell, {n: v[0] for n, v in raw.items()}, PRIME + text[:15], 15, 0) == text[15:]


def test_shares_are_those_of_the_softmax() -> None:
    outputs = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)
    numbers = (torch.arange(20000, dtype=torch.float64) + 0.5) / 20000
    for temperature in (0.5, 1.0, 3.0):
        counted = Counter(int(chosen(outputs, temperature, number)) for number in numbers)
        weights = [math.exp(y / temperature) for y in outputs.tolist()]
        for symbol, weight in enumerate(weights):
            assert abs(counted[symbol] / 20000 - weight / sum(weights)) <= 1 / 20000
    for temperature in (0.0, 5e-324, 1e-300, 1e-3):
        assert {int(chosen(outputs, temperature, number)) for number in numbers[::1000]} == {2}


def test_a_prime_is_of_characters_that_the_text_has(task: Text) -> None:
    cell = SMALL["rnn"]
    params = of_one(task, cell)
    with pytest.raises(OptionError, match=r"must be of characters that its text has 10 times or more, got 'Q', 'é'$"):
        sample(task, cell, params, "of Qé", 3)
    with pytest.raises(OptionError, match="must have at least one character"):
        sample(task, cell, params, "", 3)
    with pytest.raises(OptionError, match="got '¶'"):  # it is there, but too seldom
        sample(task, cell, params, "¶", 3)
    assert symbols_of(task, f"a{OTHER}") == [task.alphabet.index("a") + 1, 0]


def test_a_character_without_a_symbol_is_shown_as_one(task: Text) -> None:
    params = of_one(task, SMALL["rnn"])
    params["V_bias"][0] = 100.0
    assert sample(task, SMALL["rnn"], params, PRIME, 3) == OTHER * 3


def test_outputs_that_are_no_numbers_are_said(task: Text) -> None:
    params = of_one(task, SMALL["rnn"])
    params["V"][0, 0] = torch.inf
    with pytest.raises(ArithmeticError, match="no finite numbers"):
        sample(task, SMALL["rnn"], params, PRIME, 3)
