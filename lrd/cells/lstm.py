"""Long short-term memory with input, forget and output gates (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells.base import Parameters, State
from lrd.cells.gated import GatedCell
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class LSTM(GatedCell):
    """A memory cell c with an input, a forget and an output gate.

    i_t = sigmoid(U_i x_t + W_i h_{t-1} + b_i)      f_t = sigmoid(U_f x_t + W_f h_{t-1} + b_f)
    g_t = tanh(U_g x_t + W_g h_{t-1} + b_g)         o_t = sigmoid(U_o x_t + W_o h_{t-1} + b_o)
    c_t = f_t c_{t-1} + i_t g_t                     h_t = o_t tanh(c_t)

    The rows of U, W and b stand in the order i, f, g, o, as in torch.
    """

    name: ClassVar[str] = "lstm"
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    keeps: ClassVar[Mapping[str, str]] = {"c": "forget"}

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [4 hidden, inputs], W [4 hidden, hidden], b [4 hidden]."""
        return self._blocks(4, input_size, generator, keeps=1, opposes=0)

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, c = state
        i, f, g, o = (p["U"] @ x + p["W"] @ h + p["b"]).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        i, f, _, o = torch.sigmoid(p["U"] @ x + p["W"] @ state[0] + p["b"]).chunk(4)
        return {"input": i, "forget": f, "output": o}
