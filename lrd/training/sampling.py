"""Text from a trained character model: after a prime, each next character is drawn from what the network predicts.

The network reads its own characters, one a step, and its state goes on from step to step: no prefix is computed twice.
With outputs y_t of the task ``text``, the next symbol has the probability

    p_k = exp(y_tk / temperature) / sum_j exp(y_tj / temperature),

and at temperature 0 it is the one with the largest output. All numbers are float64, one after the other on the CPU, so
that a text is the same on every machine but where two outputs are equal up to rounding.
"""

from __future__ import annotations

import torch

from lrd.cells import Cell, Parameters, State, prepared, read
from lrd.kernels import loop
from lrd.kernels.layers import scan_layers
from lrd.options import OptionError
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Text

#: What stands for symbol 0, the characters that are too rare in the text to have a symbol of their own.
OTHER = "\N{REPLACEMENT CHARACTER}"


def symbols_of(task: Text, text: str) -> list[int]:
    """Return the symbols of a text's characters.

    Raises:
        OptionError: The text is empty, or it has characters that have no symbol of their own.
    """
    if not text:
        raise OptionError("prime", "must have at least one character")
    if unknown := sorted(set(text) - set(task.alphabet) - {OTHER}):
        named = ", ".join(map(repr, unknown))
        raise OptionError("prime", f"must be of characters that its text has {task.least} times or more, got {named}")
    return [task.alphabet.find(character) + 1 for character in text]


@torch.no_grad()
def sample(
    task: Text, cell: Cell, params: Parameters, prime: str, length: int, temperature: float = 1.0, seed: int = 0
) -> str:
    """Return the characters with which a trained network goes on after a prime.

    Args:
        task: The task of the run, which has the alphabet.
        cell: The cell of the run.
        params: Its trained parameters by name, of cell and readout.
        prime: What the network reads first.
        length: How many characters to return.
        temperature: Below 1 likely characters become more likely, above 1 less; 0: always the likeliest.
        seed: Of the random numbers, one a character.

    Raises:
        OptionError: The prime is empty, or has characters that have no symbol of their own.
        ArithmeticError: The outputs of the network stop being finite.
    """
    drawn = symbols_of(task, prime)
    params = prepared(cell, {name: value.detach().cpu()[None] for name, value in params.items()}, torch.float64)
    params = {name: value.double() for name, value in params.items()}
    state: State | None = None
    for symbol in drawn:
        outputs, state = next_outputs(cell, params, symbol, state, task.input_size)
    for number in torch.rand(length, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)):
        if not outputs.isfinite().all():
            raise ArithmeticError("the outputs are no finite numbers")
        drawn.append(int(chosen(outputs, temperature, number)))
        outputs, state = next_outputs(cell, params, drawn[-1], state, task.input_size)
    return "".join(map((OTHER + task.alphabet).__getitem__, drawn[len(drawn) - length :]))


def next_outputs(
    cell: Cell, params: Parameters, symbol: int, state: State | None, symbols: int
) -> tuple[Float[Tensor, "outputs"], State]:
    """Return the outputs of one step of the network, before softmax, and the state after it.

    Args:
        cell: The cell of the run, with its layers.
        params: What its steps get and the readout's, [1, ...] by name.
        symbol: What it reads.
        state: The state before the step; None: zeros.
        symbols: How many there are.
    """
    x = torch.zeros(1, 1, 1, symbols, dtype=torch.float64)
    x[..., symbol] = 1
    h, state = scan_layers(loop.scan, cell, params, x, state)
    return read(params, h, x)[0, 0, 0], state


def chosen(outputs: Float[Tensor, "outputs"], temperature: float, number: Float[Tensor, ""]) -> Int[Tensor, ""]:
    """Return the symbol that a random number between 0 and 1 stands for: the first whose cumulated share exceeds it."""
    if temperature == 0:
        return outputs.argmax()
    # Less the largest output, so that the smallest temperatures give 0 and -inf, and no difference of infinities.
    shares = torch.softmax((outputs - outputs.max()) / temperature, -1).cumsum(-1)
    return torch.searchsorted(shares, number * shares[-1], right=True).clamp(max=len(outputs) - 1)
