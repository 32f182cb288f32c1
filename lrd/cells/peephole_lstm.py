"""The LSTM with peepholes: gates see the memory cell (Gers & Schmidhuber 2000, Recurrent nets that time and count)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Parameters, State
from lrd.cells.gated import GatedCell
from lrd.cells.logistic import logistic
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class PeepholeLSTM(GatedCell):
    """The LSTM with weights P from each memory cell to its own three gates, element by element.

    i_t = sigmoid(U_i x_t + W_i h_{t-1} + P_i c_{t-1} + b_i)   f_t = sigmoid(U_f x_t + W_f h_{t-1} + P_f c_{t-1} + b_f)
    g_t = tanh(U_g x_t + W_g h_{t-1} + b_g)                    o_t = sigmoid(U_o x_t + W_o h_{t-1} + P_o c_t + b_o)
    c_t = f_t c_{t-1} + i_t g_t                                h_t = o_t tanh(c_t)

    The rows of U, W and b stand in the order i, f, g, o, those of P in the order i, f, o.
    """

    name: ClassVar[str] = "lstm_peephole"
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    keeps: ClassVar[Mapping[str, str]] = {"c": "forget"}

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [4 hidden, inputs], W [4 hidden, hidden], b [4 hidden], P [3 hidden]."""
        n = self.hidden_size
        p = self._blocks(4, input_size, generator, keeps=1, opposes=0)
        return p | {"P": initialisers.bias(self.init, 3 * n, n, 1, generator)}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        _, _, o, c = self._parts(p, x, state)
        return o * torch.tanh(c), c

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        i, f, o, _ = self._parts(p, x, state)
        return {"input": i, "forget": f, "output": o}

    def _parts(self, p: Parameters, x: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return i_t, f_t, o_t and c_t."""
        n = self.hidden_size
        h, c = state
        i_and_f, g, o = torch.split(p["U"] @ x + p["W"] @ h + p["b"], [2 * n, n, n])
        to_i_and_f, to_o = torch.split(p["P"], [2 * n, n])
        i, f = logistic(i_and_f + to_i_and_f * torch.cat([c, c])).chunk(2)
        c = f * c + i * torch.tanh(g)
        return i, f, logistic(o + to_o * c), c
