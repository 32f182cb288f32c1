"""The LSTM with coupled input and forget gates (CIFG of Greff et al. 2017, LSTM: A search space odyssey)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells.base import Parameters, State
from lrd.cells.gated import GatedCell
from lrd.cells.logistic import logistic
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class CoupledLSTM(GatedCell):
    """The LSTM with f_t = 1 - i_t: it forgets as much as it lets in.

    i_t = sigmoid(U_i x_t + W_i h_{t-1} + b_i)      g_t = tanh(U_g x_t + W_g h_{t-1} + b_g)
    o_t = sigmoid(U_o x_t + W_o h_{t-1} + b_o)      c_t = (1 - i_t) c_{t-1} + i_t g_t
    h_t = o_t tanh(c_t)

    The rows of U, W and b stand in the order i, g, o. Since 1 - sigmoid(a) = sigmoid(-a), b_f is -b_i.
    """

    name: ClassVar[str] = "lstm_coupled"
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    keeps: ClassVar[Mapping[str, str]] = {"c": "forget"}

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [3 hidden, inputs], W [3 hidden, hidden], b [3 hidden]."""
        return self._blocks(3, input_size, generator, opposes=0)

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, c = state
        i, g, o = (p["U"] @ x + p["W"] @ h + p["b"]).chunk(3)
        i = logistic(i)
        c = (1 - i) * c + i * torch.tanh(g)
        return logistic(o) * torch.tanh(c), c

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        i, _, o = (p["U"] @ x + p["W"] @ state[0] + p["b"]).chunk(3)
        # 1 - i as it is before it is rounded: a gate that forgets everything is small, not 0.
        return {"input": logistic(i), "forget": logistic(-i), "output": logistic(o)}
