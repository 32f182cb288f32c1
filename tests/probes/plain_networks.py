"""Networks of several layers and directions, and their states by plain float64 loops that gradients flow through."""

from __future__ import annotations

from typing import NamedTuple

import torch
from helpers import loop_of_cells, one
from torch.func import vmap

from lrd.cells import GRU, LSTM, RNN, Cell, Parameters, network_parameters, readout_parameters
from lrd.probes import Subject
from lrd.shapes import Tensor
from lrd.tasks import Task

SEEDS = torch.tensor([3, 8])
STACKS: dict[str, Cell] = {
    "rnn-2": RNN(hidden_size=3, layers=2),
    "lstm-2": LSTM(hidden_size=2, layers=2),
    "gru-3": GRU(hidden_size=3, layers=3),
}
BOTH: dict[str, Cell] = {
    "rnn-both": RNN(hidden_size=4, bidirectional=True),
    "gru-both-2": GRU(hidden_size=3, layers=2, bidirectional=True),
    "lstm-both-2": LSTM(hidden_size=2, layers=2, bidirectional=True),
}
NETWORKS = STACKS | BOTH
FIRST = (1, "forward")


class Along(NamedTuple):
    """A part along some sequences of one run: what it reads and its states, in its reading order, and its parameters.

    ``read`` [time, batch, inputs]; ``states``: a tuple of [batch, size] a step.
    """

    p: Parameters
    read: Tensor
    states: list[tuple[Tensor, ...]]

    def of(self, direction: str, variable: int) -> Tensor:
        """States of a variable [time, batch, size] in the order of time."""
        return in_time(direction, torch.stack([state[variable] for state in self.states]))


def in_time(direction: str, sequence: Tensor) -> Tensor:
    return sequence.flip(0) if direction == "backward" else sequence


def network_of(task: Task, cell: Cell, seed: int = 5) -> Subject:
    """Runs whose W have a spectral radius near 1, and whose other parameters are normal in the size of the fan-in."""
    generator = torch.Generator().manual_seed(seed)
    drawn = network_parameters(cell, task.input_size, generator)
    drawn |= readout_parameters(cell, task.output_size, generator, task.input_size)
    runs = len(SEEDS)
    params = {
        name: torch.randn(runs, *p.shape, generator=generator) / (p.shape[-1] ** 0.5 if p.ndim > 1 else 2)
        for name, p in drawn.items()
    }
    return Subject.of(task, cell, params, SEEDS)


def parts(cell: Cell) -> list[tuple[int, str]]:
    directions = ("forward", "backward") if cell.bidirectional else ("forward",)
    return [(layer, direction) for layer in range(1, cell.layers + 1) for direction in directions]


def own(part: tuple[int, str], p: Parameters) -> Parameters:
    """A part's parameters in one run, by the names that the cell alone has."""
    layer, direction = part
    end = {FIRST: ""}.get(part, f"[{layer}{',backward' if direction == 'backward' else ''}]")
    names = [name for name in p if "[" not in name and not name.startswith("V")]
    return {name: p[name + end] for name in names}


def plain_steps(cell: Cell, p: Parameters, read: Tensor) -> list[tuple[Tensor, ...]]:
    if isinstance(cell, RNN | LSTM):
        return loop_of_cells(cell, p, read)
    state, states = tuple(read.new_zeros(read.shape[1], size) for size in cell.state_sizes()), []
    for x in read:
        state = vmap(cell.step, in_dims=(None, 0, 0))(p, x, state)
        states.append(state)
    return states


def plain_network(cell: Cell, p: Parameters, x: Tensor) -> tuple[dict[tuple[int, str], Along], Tensor]:
    """Every part of one run's network along x [time, batch, inputs], and the h that the readout sees."""
    found, below = {}, x
    for layer in range(1, cell.layers + 1):
        h = []
        for part in [part for part in parts(cell) if part[0] == layer]:
            mine, read = own(part, p), in_time(part[1], below)
            found[part] = Along(mine, read, plain_steps(cell, mine, read))
            h.append(found[part].of(part[1], 0))
        below = torch.cat(h, -1)
    return found, below


def plain(subject: Subject, run: int, inputs: Tensor) -> dict[tuple[int, str], Along]:
    """Every part of one run's network along inputs [time, runs, batch, inputs]."""
    return plain_network(subject.cell, double(subject, run), inputs[:, run].double())[0]


def double(subject: Subject, run: int) -> Parameters:
    return {name: value.double() for name, value in one(subject.params, run).items()}
