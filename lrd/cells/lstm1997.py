"""The LSTM of 1997, before it could forget (Hochreiter & Schmidhuber 1997, Long short-term memory)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells.base import Cell, Parameters, State
from lrd.cells.logistic import logistic
from lrd.options import OptionError, option
from lrd.shapes import Float, Tensor

#: The functions g and h by their names.
INPUT_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "wide": lambda a: 2 * torch.tanh(a / 2),  # 4 sigmoid(a) - 2
    "logistic": logistic,
}
OUTPUT_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "squashed": lambda c: torch.tanh(c / 2),  # 2 sigmoid(c) - 1
    "identity": torch.clone,  # a tensor of its own, so that the gradients of h_t and c_t stay apart
}


@dataclass(frozen=True)
class LSTM1997(Cell):
    """Memory cells in blocks; the cells of a block share an input gate and an output gate.

    net_t = U x_t + W (h_{t-1}, y_{t-1}) + b                          of every gate and every cell
    y_t   = sigmoid(net_t of the gates)                               input gates y^in, then output gates y^out
    c_t   = c_{t-1} + y^in_t g(net_t of the cell)                     g: wide, 4 sigmoid(a) - 2; logistic
    h_t   = y^out_t h(c_t)                                            h: squashed, 2 sigmoid(c) - 1; identity

    The rows of U, W and b stand in the order input gates, output gates, cells; blocks stand one after another.
    ``hidden_size`` counts memory cells. The options of the paper's experiments, and the numbers of weights that they
    make, readout included (2c has p + 4 inputs); 2a and 2b also have ``g: logistic`` and ``h: identity``:

    | experiment | cells | block_size | recurrent | bias  | readout_bias | readout_inputs | output_gates | weights   |
    | ---------- | ----- | ---------- | --------- | ----- | ------------ | -------------- | ------------ | --------- |
    | 1          | 4     | 1          | all       | gates | no           | no             | yes          | 264       |
    | 1          | 6     | 2          | all       | gates | no           | no             | yes          | 276       |
    | 2a, 2b     | 1     | 1          | none      | none  | no           | yes            | no           | 10504     |
    | 2c         | 2     | 1          | all       | none  | no           | no             | yes          | 6p + 64   |
    | 3          | 3     | 1          | all       | all   | no           | no             | yes          | 102       |
    | 4, 5       | 4     | 2          | all       | all   | yes          | no             | yes          | 93        |
    | 6a         | 4     | 2          | all       | all   | yes          | no             | yes          | 156       |
    | 6b         | 6     | 2          | all       | all   | yes          | no             | yes          | 308       |
    """

    name: ClassVar[str] = "lstm1997"
    state_names: ClassVar[tuple[str, ...]] = ("h", "c", "y")
    step_options: ClassVar[tuple[str, ...]] = (
        *("block_size", "output_gates", "recurrent", "bias", "g", "h", "truncated"),
    )

    block_size: int = option(1, "memory cells of a block", ge=1)
    output_gates: bool = option(True, "whether blocks have output gates; without them h_t = h(c_t)")
    recurrent: str = option(
        "all", "what gates and cells see of the step before: all cells and gates, cells, none",
        choices=("all", "cells", "none"),
    )  # fmt: skip
    bias: str = option("all", "hidden units with biases: all, gates, none", choices=("all", "gates", "none"))
    readout_bias: bool = option(True, "whether the readout has biases")
    readout_inputs: bool = option(False, "whether the readout sees x_t beside h_t")
    g: str = option(
        "wide",
        "g of a cell's net input a: wide (4 sigmoid(a) - 2), logistic",
        choices=tuple(INPUT_FUNCTIONS),
        switch=True,
    )
    h: str = option(
        "squashed", "h of c_t: squashed (2 sigmoid(c_t) - 1), identity", choices=tuple(OUTPUT_FUNCTIONS), switch=True
    )
    truncated: bool = option(False, "the paper's truncated gradient: none through recurrent weights to the step before")
    init_range: float = option(0.1, "initial weights and biases are uniform in +- this", ge=0, per_run=True)
    input_bias: float | None = option(
        None, "initial bias of the first block's input gate; null: drawn as weights are", per_run=True
    )
    input_bias_step: float = option(0.0, "what is added to input_bias from block to block", per_run=True)
    output_bias: float | None = option(
        None, "initial bias of the first block's output gate; null: drawn as weights are", per_run=True
    )
    output_bias_step: float = option(0.0, "what is added to output_bias from block to block", per_run=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % self.block_size:
            raise OptionError("block_size", f"must divide hidden_size, {self.hidden_size}, got {self.block_size}")
        for key, there in (("input_bias", self.bias != "none"), ("output_bias", self._biased_output_gates)):
            if getattr(self, key) is not None and not there:
                raise OptionError(key, f"must be null where there are no such biases, got {getattr(self, key)}")

    @property
    def blocks(self) -> int:
        """The number of memory cell blocks."""
        return self.hidden_size // self.block_size

    @property
    def _gates(self) -> int:
        return self.blocks * (1 + self.output_gates)

    @property
    def _biased_output_gates(self) -> bool:
        return self.output_gates and self.bias != "none"

    def state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size, self.hidden_size, self._gates)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [gates + cells, inputs], and W [gates + cells, cells (+ gates)] and b [gates (+ cells)] if any."""
        rows, blocks = self._gates + self.hidden_size, self.blocks
        seen = {"all": rows, "cells": self.hidden_size, "none": 0}[self.recurrent]
        biased = {"all": rows, "gates": self._gates, "none": 0}[self.bias]
        p = {"U": self._drawn(generator, rows, input_size)}
        if seen:
            p["W"] = self._drawn(generator, rows, seen)
        if biased:
            p["b"] = self._drawn(generator, biased)
            number = torch.arange(blocks)
            if self.input_bias is not None:
                p["b"][:blocks] = self.input_bias + self.input_bias_step * number
            if self.output_bias is not None:
                p["b"][blocks : 2 * blocks] = self.output_bias + self.output_bias_step * number
        return p

    def own_readout(self, input_size: int, output_size: int, generator: torch.Generator) -> Parameters:
        p = {"V": self._drawn(generator, output_size, self.hidden_size)}
        if self.readout_inputs:
            p["V_inputs"] = self._drawn(generator, output_size, input_size)
        if self.readout_bias:
            p["V_bias"] = self._drawn(generator, output_size)
        return p

    def _drawn(self, generator: torch.Generator, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(-self.init_range, self.init_range, generator=generator)

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        y, net = self._parts(p, x, state)
        in_blocks = self.blocks, self.block_size
        let_in, *let_out = torch.split(y, self.blocks)
        g = INPUT_FUNCTIONS[self.g](net)
        c = state[1] + (let_in[:, None] * g.view(in_blocks)).flatten()
        h = OUTPUT_FUNCTIONS[self.h](c)
        if self.output_gates:
            h = (let_out[0][:, None] * h.view(in_blocks)).flatten()
        return h, c, y

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        y, _ = self._parts(p, x, state)
        return dict(zip(("input", "output"), torch.split(y, self.blocks), strict=False))

    def _parts(self, p: Parameters, x: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Return y_t, and net_t of the cells."""
        net = p["U"] @ x
        if self.recurrent != "none":
            before = torch.cat([state[0], state[2]]) if self.recurrent == "all" else state[0]
            net = net + p["W"] @ (before.detach() if self.truncated else before)
        if self.bias == "all":
            net = net + p["b"]
        gates, cells = torch.split(net, [self._gates, self.hidden_size])
        return logistic(gates + p["b"] if self.bias == "gates" else gates), cells
