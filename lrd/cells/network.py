"""The network that a cell's options ``layers`` and ``bidirectional`` make of it, as a list of parts.

A part is one cell of one layer that reads a whole sequence in one direction. Layer 1 reads the task's inputs; each
further layer reads the h of all parts of the layer below, side by side (Graves 2013; Schuster & Paliwal 1997). The
readout sees the h of all parts of the last layer. So every part is a cell alone over inputs of its own, and has the
cell's kernels; a network of one part is the cell itself, to the last bit.

Trained parameters of a part have the cell's own names with the part behind them: ``U[2]`` in the second layer,
``U[2,backward]`` in the cell of that layer that reads from the end. The first part has the bare names.
"""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

import torch

from lrd.cells.base import Cell, Parameters

FORWARD, BACKWARD = "forward", "backward"
_NAME = re.compile(r"(?P<own>.*)\[(?P<layer>\d+)(?P<backward>,backward)?\]", re.DOTALL)


class Part(NamedTuple):
    """The place of one cell in a network.

    Attributes:
        layer: The number of its layer; layer 1 reads the task's inputs.
        direction: The direction in which it reads: forward, or backward, from the last step to the first.
    """

    layer: int = 1
    direction: str = FORWARD

    @property
    def is_backward(self) -> bool:
        """Whether it reads a sequence from its end."""
        return self.direction == BACKWARD

    def name_of(self, parameter: str) -> str:
        """Return the network's name of one of the cell's parameters in this part."""
        if self == FIRST:
            return parameter
        return f"{parameter}[{self.layer}{',backward' if self.is_backward else ''}]"


#: The part that reads the task's inputs forward, which every network has.
FIRST = Part()


def parts_of(cell: Cell) -> tuple[Part, ...]:
    """Return the parts of the network of a cell, in the order in which they are computed."""
    directions = (FORWARD, BACKWARD) if cell.bidirectional else (FORWARD,)
    return tuple(Part(layer, direction) for layer in range(1, cell.layers + 1) for direction in directions)


def parts_of_layer(cell: Cell, layer: int) -> tuple[Part, ...]:
    """Return the parts of one layer; the h of the layer is the h of these, side by side."""
    return tuple(part for part in parts_of(cell) if part.layer == layer)


def one_layer(cell: Cell) -> Cell:
    """Return the cell of one part: the same options, without further layers."""
    if cell.layers == 1 and not cell.bidirectional:
        return cell
    return dataclasses.replace(cell, layers=1, dropout=0.0, bidirectional=False)


def features(cell: Cell) -> int:
    """Return the number of h of a layer, which the next layer and the readout see."""
    return cell.hidden_size * (2 if cell.bidirectional else 1)


def units(cell: Cell) -> int:
    """Return the number of h of all parts of a network."""
    return cell.layers * features(cell)


def network_name(cell: Cell) -> str:
    """Return what a network is called in tables: the label or name of its cell, and what is stacked of it."""
    layers = f", {cell.layers} layers" if cell.layers > 1 else ""
    return f"{cell.label or cell.name}{layers}{', bidirectional' if cell.bidirectional else ''}"


def inputs_of(cell: Cell, part: Part, input_size: int) -> int:
    """Return the number of inputs of a step of a part, of a network whose task has ``input_size``."""
    return input_size if part.layer == 1 else features(cell)


def placed(parameter: str) -> tuple[Part, str]:
    """Return the part to which a network's parameter belongs, and the cell's own name of it."""
    found = _NAME.fullmatch(parameter)
    if found is None:
        return FIRST, parameter
    return Part(int(found["layer"]), BACKWARD if found["backward"] else FORWARD), found["own"]


def parameters_of(part: Part, params: Parameters) -> Parameters:
    """Return the parameters of one part by the cell's own names; with those of the first part goes the readout."""
    by_name = ((name, *placed(name)) for name in params)
    return {own: params[name] for name, place, own in by_name if place == part}


def network_parameters(cell: Cell, input_size: int, generator: torch.Generator) -> Parameters:
    """Draw the initial parameters of every part, one after another from one generator.

    Args:
        cell: The cell, with its layers.
        input_size: The number of inputs x_t of a step of the task.
        generator: The run's own source of random numbers.
    """
    drawn: Parameters = {}
    for part in parts_of(cell):
        own = one_layer(cell).parameters(inputs_of(cell, part, input_size), generator)
        drawn |= {part.name_of(name): value for name, value in own.items()}
    return drawn


def prepared(cell: Cell, params: Parameters, dtype: torch.dtype | None = None) -> Parameters:
    """Return what the steps of a pack get: ``cell.prepare`` of the parameters of each part of each run.

    Args:
        cell: The cell of the runs, with its layers.
        params: Their trained parameters, [runs, ...] by name.
        dtype: The precision in which ``prepare`` computes and gives, where the cell has one; None: that of ``params``.

    Returns:
        Parameters for ``cell.stepped``, [runs, ...] by name.
    """
    if type(cell).prepare is Cell.prepare:
        return params
    made: Parameters = {}
    for part in parts_of(cell):
        own = _prepared_part(one_layer(cell), parameters_of(part, params), dtype)
        made |= {part.name_of(name): value for name, value in own.items()}
    return made


def _prepared_part(cell: Cell, params: Parameters, dtype: torch.dtype | None) -> Parameters:
    runs = len(next(iter(params.values())))
    # Run by run: how a batch of matrices is decomposed may depend on which others are in it.
    each = [cell.prepare({name: p[run].to(dtype) for name, p in params.items()}) for run in range(runs)]
    return {name: torch.stack([p[name] for p in each]) for name in each[0]}
